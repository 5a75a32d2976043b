#!/usr/bin/env python3
"""Checks samconfig.toml against the template: every override is a parameter with an allowed value, the
environments set the same things, and each deploys to a stack of its own what it has built.
sam itself finds out at deployment, or never. Needs tomlkit and cfn-lint, which sam brings.

    check-samconfig.py SAMCONFIG TEMPLATE"""

import shlex
import sys

import tomlkit
from cfnlint.decode import cfn_yaml


def overrides(settings):
    return dict(pair.split("=", 1) for pair in shlex.split(settings.get("parameter_overrides", "")))


def shape_of(environment):
    return {command: sorted(tables["parameters"]) for command, tables in environment.items()}


def faults_of(name, environment, declared):
    for command, tables in environment.items():
        for key, value in overrides(tables["parameters"]).items():
            if key not in declared:
                yield f"{name}.{command}: the template has no parameter {key}"
            elif value not in map(str, declared[key].get("AllowedValues", [value])):
                yield f"{name}.{command}: {key} may not be {value}"
    built, deployed = (overrides(environment[command]["parameters"]) for command in ("build", "deploy"))
    if built.get("Architecture") != deployed.get("Architecture"):
        yield f"{name}: builds for {built.get('Architecture')}, deploys for {deployed.get('Architecture')}"
    stage = {"default": "dev"}.get(name, name)
    if deployed.get("Stage") != stage:
        yield f"{name}.deploy: Stage must be {stage}"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    config = tomlkit.parse(open(sys.argv[1]).read()).unwrap()
    declared = cfn_yaml.load(sys.argv[2])["Parameters"]
    environments = {name: tables for name, tables in config.items() if name != "version"}
    faults = [fault for name, tables in environments.items() for fault in faults_of(name, tables, declared)]
    shapes = {name: shape_of(tables) for name, tables in environments.items()}
    faults += [f"{name}: sets other things than default" for name, shape in shapes.items() if shape != shapes["default"]]
    stacks = [tables["global"]["parameters"]["stack_name"] for tables in environments.values()]
    if len(set(stacks)) != len(stacks):
        faults.append("two environments share a stack")
    if faults:
        sys.exit("\n".join(f"samconfig.toml: {fault}" for fault in faults))


if __name__ == "__main__":
    main()
