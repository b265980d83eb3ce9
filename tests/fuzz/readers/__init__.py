"""Random bytes, guided by coverage, for every reader of foreign files. Only a clear refusal may come out.

An input is a fault if the reader raises anything but the errors that it documents, takes more than a second or too much
memory, or gives an answer that is not so: what was parsed does not come back from its text, a name leads out of its
folder, a control character reaches the terminal. Inputs that were faults once stand in tests/fuzz/corpus.
"""
