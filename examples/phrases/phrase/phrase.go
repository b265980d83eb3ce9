// Package phrase is what server and plugins agree on: an interface, and how it goes over the wire.
package phrase

import (
	"net/rpc"

	"github.com/hashicorp/go-plugin"
)

// Protocols that the server speaks. Plugins of Old get no title; those that are written now speak New.
const (
	New = 5
	Old = 4
)

// Cookie tells a plugin that a server has started it, and no person.
var Cookie = plugin.HandshakeConfig{MagicCookieKey: "PHRASES_PLUGIN", MagicCookieValue: "phrases"}

// Phraser says something to somebody.
type Phraser interface {
	Say(title, name string) (string, error)
}

// Names are the arguments of a call.
type Names struct{ Title, Name string }

// Plugin joins an implementation with the wire: in the plugin itself it has one, in the server none.
type Plugin struct{ Impl Phraser }

// Server is the side of the plugin.
func (p *Plugin) Server(*plugin.MuxBroker) (any, error) { return &service{p.Impl}, nil }

// Client is the side of the server.
func (p *Plugin) Client(_ *plugin.MuxBroker, c *rpc.Client) (any, error) { return &client{c}, nil }

type service struct{ impl Phraser }

// Say is called over the wire.
func (s *service) Say(names Names, said *string) (err error) {
	*said, err = s.impl.Say(names.Title, names.Name)
	return err
}

type client struct{ rpc *rpc.Client }

func (c *client) Say(title, name string) (said string, err error) {
	err = c.rpc.Call("Plugin.Say", Names{title, name}, &said)
	return said, err
}

// Serve is main of a plugin that speaks one protocol.
func Serve(protocol int, impl Phraser) {
	handshake := Cookie
	handshake.ProtocolVersion = uint(protocol)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         plugin.PluginSet{"phrase": &Plugin{impl}},
	})
}
