"""A function is called as it can bear it: event source mappings."""

from topology import Rule, listed, on_failure

STREAMS = ("DynamoDB", "Kinesis")


class BatchFailsByItem(Rule):
    id = "E9111"
    shortdesc = "Mapping without ReportBatchItemFailures"
    description = "One failed record would have its whole batch handled again"
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting"

    def faults(self, topology):
        for mapping in topology.mappings("SQS", *STREAMS):
            if "ReportBatchItemFailures" not in listed(mapping.settings.get("FunctionResponseTypes")):
                yield (
                    (*mapping.path, "FunctionResponseTypes"),
                    f"{mapping.function}: FunctionResponseTypes lacks ReportBatchItemFailures",
                )


class QueueConcurrencyIsBounded(Rule):
    id = "E9112"
    shortdesc = "Mapping of a queue without MaximumConcurrency"
    description = "A full queue would take all concurrency of the account"
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"

    def faults(self, topology):
        for mapping in topology.mappings("SQS"):
            if not (mapping.settings.get("ScalingConfig") or {}).get("MaximumConcurrency"):
                yield (*mapping.path, "ScalingConfig"), f"{mapping.function}: ScalingConfig lacks MaximumConcurrency"


class StreamIsNotBlockedForever(Rule):
    id = "E9113"
    shortdesc = "Mapping of a stream without a limit of attempts or of age"
    description = "A record that always fails would block its shard until the stream forgets it, with all behind it"
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html"

    def faults(self, topology):
        for mapping in topology.mappings(*STREAMS):
            limits = [
                topology.number(mapping.settings.get(limit), -1)
                for limit in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds")
            ]
            if limits == [-1, -1]:
                yield (
                    (*mapping.path, "MaximumRecordAgeInSeconds"),
                    f"{mapping.function}: neither MaximumRetryAttempts nor MaximumRecordAgeInSeconds has a limit",
                )


class StreamReportsWhatItGaveUp(Rule):
    id = "E9114"
    shortdesc = "Mapping of a stream without a destination for what it gave up"
    description = "Nobody would hear of records that were passed over"
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html"

    def faults(self, topology):
        for mapping in topology.mappings(*STREAMS):
            if not on_failure(mapping.settings):
                yield (*mapping.path, "DestinationConfig"), f"{mapping.function}: DestinationConfig lacks OnFailure"
