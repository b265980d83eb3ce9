untrusted comment: test key, known to all the world
RUNYeVWTesJMnok3MnqDq0Arl05Z6bLrBgtAru5HZMr0/6c7cPPlcz/mSW+OKQMgEjLzutEYXeKx9zjRVjk4M/CC39TrGRfaR4g=
