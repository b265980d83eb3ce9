# Lists of ABIs, parted by commas: what a core takes, its own first.
function fits(abi, list) { return abi !~ /^-?$/ && index("," list ",", "," abi ",") > 0 }
function own(list) { sub(/,.*/, "", list); return list }
