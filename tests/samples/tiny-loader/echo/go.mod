module example.com/echo

go 1.21

require (
	example.com/bell v1.2.3
	example.com/host v0.1.0
)

replace (
	example.com/bell => ../bell
	example.com/host => ../server
)
