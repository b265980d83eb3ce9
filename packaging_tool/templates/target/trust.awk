# In: the tree, "size TAB name" of the copies, then key files and signatures (format of signify;
# packaging_tool/signing/signify.py reads the same). Out: keys as PEM files and rows, rows of signatures with their bytes
# as octal escapes for printf; refusals: "*" for the trusted keys, else the plugin.
function is_key(path,    base) {
    base = path
    if (path !~ /\/[^\/]*\.pub$/) return 0
    sub(/\/[^\/]*$/, "", base)
    return base == SHARE "/keys" || base == CONFIG "/keys.d"
}
function complain(reason) {
    if (kind == "sig") print name "\t" SHARE (name == "kit" ? "/" : "/plugins/") name ".manifest.sig " reason "\t" REINSTALL " " CORE "-plugin-" name (name == "kit" ? "; then " TOOL " apply" : "") >> REFUSED
    else print "*\t" place " " reason "\t" (index(place, SHARE "/") == 1 ? REINSTALL " " CORE : "remove or repair it; then " TOOL " apply") >> REFUSED
    broken = 1
}
# Bytes of a base64 text go to byte[1..]; returns how many, -1 if it is not base64.
function decode(text,    i, pad, sum, bits, value, n) {
    # By what may not be in it: in mawk 1.3.4 the end of a pattern can fit before a NUL byte, too.
    if (text == "" || length(text) % 4 || text ~ /[^A-Za-z0-9+\/=]/ || text !~ /^[^=]+=?=?$/) return -1
    pad = sub(/=$/, "", text) + sub(/=$/, "", text)
    sum = bits = n = 0
    for (i = 1; i <= length(text); i++) {
        value = index(ALPHABET, substr(text, i, 1)) - 1
        sum = sum * 64 + value
        bits += 6
        if (bits >= 8) {
            bits -= 8
            byte[++n] = int(sum / 2 ^ bits)
            sum -= byte[n] * 2 ^ bits
        }
    }
    # Of several texts for the same bytes one is right (RFC 4648, 3.5).
    return sum == 0 ? n : -1
}
# The last day of a key, "-" if it has none, "" if the comment speaks of one in another way.
function expiry(comment,    at, day, year, month, days) {
    at = index(tolower(comment), "expires")
    if (!at) return "-"
    day = substr(comment, at + 8)
    if (at < 3 || substr(comment, at - 2, 10) != ", expires ") return ""
    if (day !~ /^[12][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]$/) return ""
    year = substr(day, 1, 4) + 0
    month = substr(day, 6, 2) + 0
    if (month < 1 || month > 12) return ""
    days = substr("312831303130313130313031", 2 * month - 1, 2) + 0
    if (month == 2 && (year % 4 == 0 && year % 100 != 0 || year % 400 == 0)) days = 29
    return substr(day, 9) + 0 >= 1 && substr(day, 9) + 0 <= days ? day : ""
}
function encode(n,    i, sum, text) {
    text = ""
    for (i = 1; i <= n; i += 3) {
        sum = out[i] * 65536 + (i + 1 <= n ? out[i + 1] * 256 : 0) + (i + 2 <= n ? out[i + 2] : 0)
        text = text substr(ALPHABET, int(sum / 262144) + 1, 1) substr(ALPHABET, int(sum / 4096) % 64 + 1, 1)
        text = text (i + 1 <= n ? substr(ALPHABET, int(sum / 64) % 64 + 1, 1) : "=")
        text = text (i + 2 <= n ? substr(ALPHABET, sum % 64 + 1, 1) : "=")
    }
    return text
}
# SubjectPublicKeyInfo (RFC 8410; RFC 5480): a fixed head and the key.
function pem(file, size,    head, n, i, text) {
    head = algorithm == "Ed" ? ED25519 : P256
    n = 0
    for (i = 1; i < length(head); i += 2) out[++n] = (index(HEX, substr(head, i, 1)) - 1) * 16 + index(HEX, substr(head, i + 1, 1)) - 1
    for (i = 11; i <= size; i++) out[++n] = byte[i]
    text = encode(n)
    print "-----BEGIN PUBLIC KEY-----" > file
    for (i = 1; i <= length(text); i += 64) print substr(text, i, 64) > file
    print "-----END PUBLIC KEY-----" > file
    close(file)
}
function finish(    size, i, id, text, file, day) {
    if (kind == "" || broken) return
    if (lines != 2) { complain("does not have two lines"); return }
    if (bytes != bytes_of[kind == "sig" ? name ".manifest.sig" : place]) {
        complain("does not end with a newline, or has a NUL byte")
        return
    }
    size = decode(second)
    if (size < 0) { complain("line 2 is not base64"); return }
    algorithm = size < 11 ? "" : byte[1] == 69 && byte[2] == 100 ? "Ed" : byte[1] == 69 && byte[2] == 67 ? "EC" : ""
    if (algorithm == "") { complain("is of an unknown kind"); return }
    id = ""
    for (i = 3; i <= 10; i++) id = id substr(HEX, int(byte[i] / 16) + 1, 1) substr(HEX, byte[i] % 16 + 1, 1)
    if (kind == "key") {
        if (size != 10 + (algorithm == "Ed" ? 32 : 65)) { complain("has the wrong length"); return }
        if (algorithm == "EC" && byte[11] != 4) { complain("is not an uncompressed point"); return }
        day = expiry(comment)
        if (day == "") { complain("line 1 does not end in: , expires YYYY-MM-DD"); return }
        file = KEYS "/" (++keys) ".pem"
        pem(file, size)
        print id "\t" algorithm "\t" file "\t" (day != "-" && "" day < "" TODAY ? day : "-") "\t" \
            (index(place, SHARE "/keys/") == 1 ? "core" : "added") > KEYROWS
        return
    }
    if (algorithm == "Ed" ? size != 74 : size < 18 || size > 82) { complain("has the wrong length"); return }
    text = ""
    for (i = 11; i <= size; i++) text = text sprintf("\\%03o", byte[i])
    print name "\t" algorithm "\t" id "\t" text > SIGROWS
}
BEGIN {
    ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    HEX = "0123456789abcdef"
    ED25519 = "302a300506032b6570032100"
    P256 = "3059301306072a8648ce3d020106082a8648ce3d030107034200"
}
FILENAME == TREE {
    split($0, part, "\t")
    bytes_of[part[3]] = part[2]
    if (!is_key(part[3])) next
    place = part[3]
    if (part[1] == "directory") complain("is a directory")
    else if (part[1] == "file" && part[2] == 0) complain("is empty")
    next
}
FILENAME == SIZES {
    split($0, part, "\t")
    bytes_of[part[2]] = part[1]
    # awk sees no line of it.
    if (part[1] == 0 && part[2] ~ /\.sig$/) { kind = "sig"; name = substr(part[2], 1, length(part[2]) - 13); complain("is empty") }
    kind = ""
    next
}
FNR == 1 {
    finish()
    lines = broken = bytes = 0
    second = ""
    kind = FILENAME ~ /\.pub$/ ? "key" : "sig"
    name = place = FILENAME
    sub(/.*\//, "", name)
    sub(/\.manifest\.sig$/, "", name)
}
broken { next }
{ lines++; bytes += length($0) + 1 }
FNR == 1 {
    comment = substr($0, 20)
    # signify reads neither an empty comment nor a longer one.
    if ($0 !~ /^untrusted comment: / || comment == "" || length(comment) > 1023 || comment ~ /[^ -~\200-\377]/)
        complain("line 1 is not: untrusted comment: TEXT")
}
FNR == 2 { second = $0 }
END { finish() }
