// Command otelcol is an OpenTelemetry Collector, made by `mkpkgs import builder-config.yaml`. Plugins add their factories at
// the line "mkpkgs:register".
package main

import (
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/receiver"

	envprovider "go.opentelemetry.io/collector/confmap/provider/envprovider"
	fileprovider "go.opentelemetry.io/collector/confmap/provider/fileprovider"
	httpprovider "go.opentelemetry.io/collector/confmap/provider/httpprovider"
	httpsprovider "go.opentelemetry.io/collector/confmap/provider/httpsprovider"
	yamlprovider "go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	debugexporter "go.opentelemetry.io/collector/exporter/debugexporter"
	batchprocessor "go.opentelemetry.io/collector/processor/batchprocessor"
	otlpreceiver "go.opentelemetry.io/collector/receiver/otlpreceiver"
	otelconftelemetry "go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

// kind has the factories of one kind of component, and the modules that they come from.
type kind[F component.Factory] struct {
	factories []F
	modules   map[component.Type]string
}

func (k *kind[F]) add(module string, factory F) {
	if k.modules == nil {
		k.modules = map[component.Type]string{}
	}
	k.factories = append(k.factories, factory)
	k.modules[factory.Type()] = module
}

func (k *kind[F]) maps() (map[component.Type]F, map[component.Type]string, error) {
	factories, err := otelcol.MakeFactoryMap(k.factories...)
	// A component may also have an older name.
	for name, factory := range factories {
		k.modules[name] = k.modules[factory.Type()]
	}
	return factories, k.modules, err
}

func components() (found otelcol.Factories, err error) {
	var (
		extensions kind[extension.Factory]
		receivers  kind[receiver.Factory]
		processors kind[processor.Factory]
		exporters  kind[exporter.Factory]
		connectors kind[connector.Factory]
	)
	receivers.add("go.opentelemetry.io/collector/receiver/otlpreceiver v0.165.0", otlpreceiver.NewFactory())
	processors.add("go.opentelemetry.io/collector/processor/batchprocessor v0.165.0", batchprocessor.NewFactory())
	exporters.add("go.opentelemetry.io/collector/exporter/debugexporter v0.165.0", debugexporter.NewFactory())
	//mkpkgs:register
	found.Telemetry = otelconftelemetry.NewFactory()
	if found.Extensions, found.ExtensionModules, err = extensions.maps(); err != nil {
		return found, err
	}
	if found.Receivers, found.ReceiverModules, err = receivers.maps(); err != nil {
		return found, err
	}
	if found.Processors, found.ProcessorModules, err = processors.maps(); err != nil {
		return found, err
	}
	if found.Exporters, found.ExporterModules, err = exporters.maps(); err != nil {
		return found, err
	}
	found.Connectors, found.ConnectorModules, err = connectors.maps()
	return found, err
}

func main() {
	settings := otelcol.CollectorSettings{
		BuildInfo:       component.BuildInfo{Command: "otelcol", Description: "OpenTelemetry Collector with components as packages", Version: "0.165.0"},
		Factories:       components,
		ProviderModules: map[string]string{},
	}
	resolver := &settings.ConfigProviderSettings.ResolverSettings
	for _, provider := range []struct {
		factory confmap.ProviderFactory
		module  string
	}{
		{envprovider.NewFactory(), "go.opentelemetry.io/collector/confmap/provider/envprovider v1.71.0"},
		{fileprovider.NewFactory(), "go.opentelemetry.io/collector/confmap/provider/fileprovider v1.71.0"},
		{httpprovider.NewFactory(), "go.opentelemetry.io/collector/confmap/provider/httpprovider v1.71.0"},
		{httpsprovider.NewFactory(), "go.opentelemetry.io/collector/confmap/provider/httpsprovider v1.71.0"},
		{yamlprovider.NewFactory(), "go.opentelemetry.io/collector/confmap/provider/yamlprovider v1.71.0"},
	} {
		resolver.ProviderFactories = append(resolver.ProviderFactories, provider.factory)
		settings.ProviderModules[provider.factory.Create(confmap.ProviderSettings{}).Scheme()] = provider.module
	}
	// The command prints its errors by itself.
	if otelcol.NewCommand(settings).Execute() != nil {
		os.Exit(1)
	}
}
