module example.com/bell

go 1.21

require example.com/host v0.1.0

replace example.com/host => ../server
