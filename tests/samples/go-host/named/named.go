package named

// Name is what main registers.
const Name = "named"
