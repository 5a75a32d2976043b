"""What is to be read later is kept, and what wakes somebody says why: log groups and alarms."""

from collections import Counter

from topology import Rule, named, path_to


class LogsEnd(Rule):
    id = "E9131"
    shortdesc = "Log group without retention"
    description = "CloudWatch would keep its logs, and their price, for ever"
    source_url = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html"

    def faults(self, topology):
        for name, properties in topology.each("AWS::Logs::LogGroup"):
            if not properties.get("RetentionInDays"):
                yield path_to(name, "RetentionInDays"), f"{name}: no RetentionInDays"


class FunctionHasItsLogGroup(Rule):
    id = "E9132"
    shortdesc = "Function without a log group of its own"
    description = (
        "Lambda would make one that no template describes, kept for ever; in a shared one nobody may be shut out"
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html"

    def faults(self, topology):
        groups = {name for name, _ in topology.each("AWS::Logs::LogGroup")}
        used = {
            name: named((properties.get("LoggingConfig") or {}).get("LogGroup"))
            for name, properties in topology.each("AWS::Serverless::Function")
        }
        users = Counter(used.values())
        for function, group in used.items():
            path = path_to(function, "LoggingConfig", "LogGroup")
            if group not in groups:
                yield path, f"{function}: LoggingConfig names no log group of this template"
            elif users[group] > 1:
                yield path, f"{function}: {group} belongs to another function as well"


class AlarmReachesSomebody(Rule):
    id = "E9134"
    shortdesc = "Alarm without an action"
    description = "Without one in any way that conditions fall, nobody would hear of it"
    source_url = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"

    def faults(self, topology):
        alarms = list(topology.each("AWS::CloudWatch::Alarm"))
        heard = {name for name, properties in alarms if properties.get("AlarmActions")}
        for name, _ in alarms:
            if name not in heard:
                yield path_to(name, "AlarmActions"), f"{name}: no AlarmActions"
