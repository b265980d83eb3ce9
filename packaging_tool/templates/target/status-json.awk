# In: plugins that serve, those left out, those of revoked keys and what needs them, those that ended, those disabled, problems. Out: JSON of what serves.
function append(list, item) { return list (list == "" ? "" : ", ") item }
FILENAME == SERVING { serving = append(serving, "{\"name\": " quote($1) ", \"version\": " quote($2) "}"); next }
FILENAME == LEFT { left = append(left, quote($1)); next }
FILENAME == GONE { gone = append(gone, quote($1)); next }
FILENAME == ENDED { ended = append(ended, quote($1)); next }
FILENAME == DISABLED { disabled = append(disabled, quote($1)); next }
{
    problems = append(problems, "\n  {\"plugin\": " ($1 == "*" ? "null" : quote($1)) ", \"reason\": " quote($2) ", \"repair\": " or_null($3) "}")
}
END {
    print head() ", \"good\": " (problems == "" ? "true" : "false") ", \"set\": " or_null(SET) ", \"serving\": [" serving "],"
    print "\"left_out\": [" left "], \"revoked\": [" gone "], \"ended\": [" ended "], \"disabled\": [" disabled "], \"unit\": " or_null(UNIT) ", \"unit_state\": " or_null(ACTIVE) ", \"watched_until\": " or_null(UNTIL) ","
    print "\"problems\": [" problems "]}"
}
