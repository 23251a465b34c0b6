package main

import (
	"github.com/spf13/cobra"

	"tlslift/configs"
)

func newSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of the configuration file, for editors",
		Long: `Print the JSON schema (draft 7) of the configuration file. An editor that knows
it completes keys, shows what they do and marks mistakes while you type. For
editors with the YAML language server, such as VS Code and Neovim, save the
schema and name it in the first line of tlslift.yaml:

  # yaml-language-server: $schema=tlslift.schema.json

The schema cannot compare keys with each other or read files: run tlslift check
before you use a file.`,
		Example: `  tlslift schema > tlslift.schema.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(configs.JSONSchema())
			return err
		},
	}
}
