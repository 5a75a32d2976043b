"""What the rules in rules/ see of a template, and what every one of them is: cfn-lint has merged SAM's
globals into the functions by then, with the lines as they are in the file.

A parameter counts with its default. Where a condition chooses, every choice is looked at."""

from typing import NamedTuple

from cfnlint.rules import CloudFormationLintRule, RuleMatch

# What AWS takes where a template says nothing, in seconds (API references of Lambda and SQS).
FUNCTION_TIMEOUT = 3
QUEUE_VISIBILITY = 30
QUEUE_RETENTION = 345_600


class Mapping(NamedTuple):
    """An event of a function, with its settings and where they stand."""

    function: str
    timeout: int
    kind: str
    settings: dict
    path: tuple


class Topology:
    def __init__(self, cfn):
        self.cfn = cfn

    def each(self, kind):
        """Name and properties of every resource of a type, once for every way that conditions fall."""
        for name, resource in self.cfn.get_resources(kind).items():
            for choice in self.cfn.get_object_without_conditions(resource.get("Properties") or {}):
                yield name, choice["Object"]

    def number(self, given, otherwise):
        """A number, be it written there or a parameter's default."""
        if given is None:
            return otherwise
        if isinstance(given, dict):
            given = self.cfn.template["Parameters"][given["Ref"]]["Default"]
        return int(given)

    def mappings(self, *kinds):
        for function, properties in self.each("AWS::Serverless::Function"):
            timeout = self.number(properties.get("Timeout"), FUNCTION_TIMEOUT)
            for name, event in (properties.get("Events") or {}).items():
                if event["Type"] in kinds:
                    path = path_to(function, "Events", name, "Properties")
                    yield Mapping(function, timeout, event["Type"], event["Properties"], path)

    def consumers(self):
        """Queue and mapping of every function that consumes a queue of this template."""
        return ((named(mapping.settings["Queue"]), mapping) for mapping in self.mappings("SQS"))

    def dead_letter_queues(self):
        """Where SQS, SNS, a mapping or a function itself puts what it gives up."""
        for kind in ("AWS::SQS::Queue", "AWS::SNS::Subscription"):
            for _, properties in self.each(kind):
                yield named((properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn"))
        for mapping in self.mappings("DynamoDB", "Kinesis"):
            yield named(on_failure(mapping.settings))
        for _, properties in self.each("AWS::Serverless::Function"):
            yield named(properties.get("Environment", {}).get("Variables", {}).get("DLQ_URL"))


class Rule(CloudFormationLintRule):
    """A rule whose `faults` yields pairs of a path into the template and what is wrong there."""

    tags = ["callboard"]

    def match(self, cfn):
        for path, fault in dict.fromkeys(self.faults(Topology(cfn))):
            yield RuleMatch(path, f"{fault} - {self.source_url}")


def path_to(resource, *inner):
    return ("Resources", resource, "Properties", *inner)


def named(reference):
    """The resource that a Ref or a GetAtt names; nothing for what is neither."""
    if not isinstance(reference, dict):
        return None
    return reference.get("Ref") or (reference.get("Fn::GetAtt") or [None])[0]


def on_failure(settings):
    return ((settings.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")


def is_true(given):
    return str(given).lower() == "true"


def listed(given):
    return given if isinstance(given, list) else [given]
