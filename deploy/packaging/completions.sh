#!/bin/sh
# Writes the shells' completions into bin/completions, for the packages.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p bin/completions
for shell in bash zsh fish powershell; do
  go run ./cmd/tlslift completion "$shell" > "bin/completions/tlslift.$shell"
done
