#!/usr/bin/env python3
"""Writes the names and addresses of a deployed stack as shell variables, as `callboard dev` does for
a local one, so that `callboard demo --env-file` and other tools find it.

    infra/scripts/stack-env.py STACK > stack.env        (needs boto3; AWS_* variables as usual)

The file holds the credentials in use: keep it private and short-lived."""

import re
import shlex
import sys

import boto3

SHOWN = {"AWS::DynamoDB::Table", "AWS::Lambda::Function", "AWS::SNS::Topic", "AWS::SQS::Queue"}


def variable(logical_id):
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", logical_id)
    return f"CALLBOARD_{words.upper()}"


def stack_variables(name):
    session = boto3.Session()
    cloudformation = session.client("cloudformation")
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}
    parameters = {p["ParameterKey"]: p["ParameterValue"] for p in stack.get("Parameters", [])}
    yield "CALLBOARD_API", outputs["ApiUrl"]
    yield "CALLBOARD_API_AUTHORIZER", parameters.get("Authorizer", "iam")
    credentials = session.get_credentials().get_frozen_credentials()
    yield "AWS_ACCESS_KEY_ID", credentials.access_key
    yield "AWS_SECRET_ACCESS_KEY", credentials.secret_key
    if credentials.token:
        yield "AWS_SESSION_TOKEN", credentials.token
    for variable_name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        yield variable_name, session.region_name
    if not cloudformation.meta.endpoint_url.endswith(".amazonaws.com"):
        yield "AWS_ENDPOINT_URL", cloudformation.meta.endpoint_url
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] in SHOWN:
                yield variable(resource["LogicalResourceId"]), resource["PhysicalResourceId"]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for name, value in sorted(stack_variables(sys.argv[1])):
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
