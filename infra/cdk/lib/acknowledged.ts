/** What cdk-nag's AwsSolutions pack says of the template, and why it stands. */

import { CfnResource, Validations } from 'aws-cdk-lib';
import { CfnRoute } from 'aws-cdk-lib/aws-apigatewayv2';
import { CfnPolicy, CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';

/** Routes that nobody signs for: the link carries its own signature, and health says nothing. */
const OPEN_ROUTES = [
  'GetOfferRoute',
  'HeadOfferRoute',
  'GetOfferCalendarRoute',
  'PostOfferRoute',
  'GetHealthRoute',
];

/** Acknowledges the findings on the resources of `included`, one by one. */
export function acknowledge(included: CfnInclude): void {
  const note = (resource: CfnResource, rule: string, reason: string): void =>
    Validations.of(resource).acknowledge({ id: `AwsSolutions::AwsSolutions-${rule}`, reason });
  // CDK reports these on the stack, whichever construct the conditions came with.
  Validations.of(included.stack).acknowledge(
    { id: 'CloudFormation-Validate::W8003', reason: 'A condition of the template whose parameter is settled here.' },
    { id: 'CloudFormation-Validate::W9053', reason: 'Two settled conditions can be alike.' },
  );
  for (const child of included.node.findAll()) {
    const id = child.node.id;
    if (child instanceof CfnQueue && /(DeadLetter|Failure)Queue$/.test(id)) {
      note(child, 'SQS3', 'It is a dead-letter queue itself; an alarm tells of what is in it.');
    } else if (child instanceof CfnRoute) {
      const reason = OPEN_ROUTES.includes(id)
        ? 'Open on purpose: a link in an e-mail carries a signature of its own, health says nothing.'
        : 'Authorized by IAM or JWT; which one is a condition of the template, which the rule cannot read.';
      note(child, 'APIG4', reason);
    } else if (child instanceof CfnSecret) {
      note(child, 'SMG4', 'Its keys sign links that must stay valid; they are rotated by the parameter LinkKeys.');
    } else if (child instanceof CfnPolicy && id === 'TracingPolicy') {
      note(child, 'IAM5[Resource::*]', 'X-Ray has no resource that PutTraceSegments could name.');
    } else if (child instanceof CfnRole && id === 'OutboxRelayRole') {
      const streams = `Resource::<${logicalId(included, 'JournalTable')}.Arn>/stream/*`;
      note(child, `IAM5[${streams}]`, 'ListStreams knows no single stream; all of this one table are named.');
    }
  }
}

function logicalId(included: CfnInclude, name: string): string {
  const resource = included.getResource(name);
  return resource.stack.getLogicalId(resource);
}
