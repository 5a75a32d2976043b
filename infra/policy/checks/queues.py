"""What must hold of every queue."""

from checkov.cloudformation.checks.resource.base_resource_check import BaseResourceCheck
from checkov.common.models.enums import CheckCategories, CheckResult


def passed_if(held):
    return CheckResult.PASSED if held else CheckResult.FAILED


class QueueIsEncrypted(BaseResourceCheck):
    def __init__(self):
        super().__init__(
            name="Ensure that a queue is encrypted at rest, by SSE-SQS or by a key of KMS",
            id="CKV_CALLBOARD_1",
            categories=[CheckCategories.ENCRYPTION],
            supported_resources=["AWS::SQS::Queue"],
        )

    def scan_resource_conf(self, conf):
        properties = conf.get("Properties") or {}
        return passed_if(properties.get("SqsManagedSseEnabled") is True or properties.get("KmsMasterKeyId"))


class QueueRefusesPlainHttp(BaseResourceCheck):
    def __init__(self):
        super().__init__(
            name="Ensure that a queue's policy denies requests without TLS to everybody",
            id="CKV_CALLBOARD_2",
            categories=[CheckCategories.NETWORKING],
            supported_resources=["AWS::SQS::QueuePolicy"],
        )

    def scan_resource_conf(self, conf):
        statements = conf["Properties"]["PolicyDocument"]["Statement"]
        return passed_if(any(self.denies_plain_http(statement) for statement in statements))

    @staticmethod
    def denies_plain_http(statement):
        condition = statement.get("Condition", {}).get("Bool", {})
        return (
            statement.get("Effect") == "Deny"
            and statement.get("Principal") == "*"
            and statement.get("Action") == "sqs:*"
            and str(condition.get("aws:SecureTransport")).lower() == "false"
        )


encrypted = QueueIsEncrypted()
refuses_plain_http = QueueRefusesPlainHttp()
