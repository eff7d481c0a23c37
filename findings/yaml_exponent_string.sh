#!/usr/bin/env bash
# A string such as "1e3" that PyYAML writes is a number to readers of YAML 1.2.
#
# Versions:  PyYAML 6.0.3, ruamel.yaml 0.18.17.
# Behavior:  PyYAML follows YAML 1.1, in which a float needs a dot: it writes the string 1e3 without quotes, and reads it
#            as a string. ruamel.yaml follows YAML 1.2, as Kubernetes' tools do, and reads 1000.0. So a container's
#            argument, or a hash such as 12e5, changes its type between the two. "1.0e+3" is quoted.
# Expected:  what is written as a string is quoted if any version reads something else.
# Pagebeam:  writes all strings of its Kubernetes manifests in quotes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q PyYAML==6.0.3 ruamel.yaml==0.18.17
"$folder/venv/bin/python" - <<'PYTHON'
import yaml
from ruamel.yaml import YAML

args = ["1e3", "1.0e+3", "12"]
written = yaml.safe_dump({"args": args}, default_flow_style=None).strip()
by_pyyaml = yaml.safe_load(written)["args"]
by_ruamel = list(YAML(typ="safe").load(written)["args"])
print("written by PyYAML:", written)
print("read by PyYAML:   ", by_pyyaml)
print("read by ruamel:   ", by_ruamel)
assert by_pyyaml == args
assert by_ruamel == [1000.0, "1.0e+3", "12"], "it has changed"
quoted = yaml.safe_dump({"args": args}, default_style='"')
assert list(YAML(typ="safe").load(quoted)["args"]) == args
PYTHON
