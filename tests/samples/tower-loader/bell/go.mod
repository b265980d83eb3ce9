module example.com/bell

go 1.21

require example.com/tower v0.0.0

replace example.com/tower => ../server
