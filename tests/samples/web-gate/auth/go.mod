module example.org/auth

go 1.22

require example.org/gate v0.0.0
