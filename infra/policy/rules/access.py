"""Who may do what, and what is readable at rest or on the way: IAM, queues, topics."""

from topology import Rule, is_true, listed, path_to

IAM_PRACTICES = "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege"
SQS_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"
# A key's policy names its own key alone, which is written "*".
KEY_POLICIES = "AWS::KMS::Key"


def statements(value, path):
    """Every statement of a policy below a value, with its path; behind conditions too."""
    if isinstance(value, dict) and "Effect" in value:
        yield path, value
    elif isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from statements(inner, (*path, key))


def allowed(topology):
    for name, resource in topology.cfn.get_resources().items():
        if resource["Type"] != KEY_POLICIES:
            for path, statement in statements(resource.get("Properties"), path_to(name)):
                if statement["Effect"] == "Allow":
                    yield name, path, statement


def text_of(value):
    """An ARN as far as it is written out."""
    written = value.get("Fn::Sub", "") if isinstance(value, dict) else value
    return str(written[0] if isinstance(written, list) else written)


class ActionsAreNamed(Rule):
    id = "E9121"
    shortdesc = "Wildcard in an IAM action"
    description = "It allows what is not used, and what AWS adds later"
    source_url = IAM_PRACTICES

    def faults(self, topology):
        for name, path, statement in allowed(topology):
            if "NotAction" in statement:
                yield (*path, "NotAction"), f"{name}: allows all actions but some"
            for action in listed(statement.get("Action", [])):
                if "*" in action:
                    yield (*path, "Action"), f"{name}: allows the action {action}"


class ResourcesAreNamed(Rule):
    id = "E9122"
    shortdesc = "Wildcard in an IAM resource"
    description = "It allows the action on what belongs to others; exceptions stand in infra/policy/cfn-lint.yaml"
    source_url = IAM_PRACTICES

    def __init__(self):
        super().__init__()
        self.config_definition = {"actions": {"default": [], "type": "list", "itemtype": "string"}}
        self.configure()

    def faults(self, topology):
        for name, path, statement in allowed(topology):
            if "NotResource" in statement:
                yield (*path, "NotResource"), f"{name}: allows all resources but some"
            if set(listed(statement.get("Action"))) <= set(self.config["actions"]):
                continue
            for resource in listed(statement.get("Resource", [])):
                if "*" in text_of(resource):
                    yield (*path, "Resource"), f"{name}: allows {statement.get('Action')} on {text_of(resource)}"


class QueueIsEncrypted(Rule):
    id = "E9123"
    shortdesc = "Queue without encryption at rest"
    description = "By SSE-SQS or a key of KMS, and said in the template, whatever the default of the day"
    source_url = f"{SQS_GUIDE}/sqs-server-side-encryption.html"

    def faults(self, topology):
        for name, properties in topology.each("AWS::SQS::Queue"):
            if not (is_true(properties.get("SqsManagedSseEnabled")) or properties.get("KmsMasterKeyId")):
                yield (
                    path_to(name, "SqsManagedSseEnabled"),
                    f"{name}: neither SqsManagedSseEnabled nor KmsMasterKeyId",
                )


class TopicIsEncrypted(Rule):
    id = "E9124"
    shortdesc = "Topic without encryption at rest"
    description = "SNS encrypts a topic under a key of KMS alone"
    source_url = "https://docs.aws.amazon.com/sns/latest/dg/sns-server-side-encryption.html"

    def faults(self, topology):
        for name, properties in topology.each("AWS::SNS::Topic"):
            if not properties.get("KmsMasterKeyId"):
                yield path_to(name, "KmsMasterKeyId"), f"{name}: no KmsMasterKeyId"


class QueueRefusesPlainHttp(Rule):
    id = "E9125"
    shortdesc = "Queue that takes requests without TLS"
    description = "No policy denies them to everybody"
    source_url = f"{SQS_GUIDE}/sqs-security-best-practices.html#enforce-encryption-data-in-transit"

    def faults(self, topology):
        guarded = set()
        for _, properties in topology.each("AWS::SQS::QueuePolicy"):
            if any(self.denies_plain_http(statement) for statement in properties["PolicyDocument"]["Statement"]):
                guarded.update(queue.get("Ref") for queue in properties["Queues"])
        for name, _ in topology.each("AWS::SQS::Queue"):
            if name not in guarded:
                yield path_to(name), f"{name}: no queue policy denies requests without TLS"

    @staticmethod
    def denies_plain_http(statement):
        secure = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
        return (statement.get("Effect"), statement.get("Principal"), statement.get("Action")) == (
            "Deny",
            "*",
            "sqs:*",
        ) and str(secure).lower() == "false"
