/**
 * Callboard in a stack of its own: `npx cdk deploy -c mailFrom=… -c mailIdentity=…`, with
 * `-c stage=prod`, `-c architecture=x86_64` and `-c functions=DIR` at will. A team that composes
 * imports the construct in place of this file.
 */

import { App, CfnOutput, Stack, Validations } from 'aws-cdk-lib';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { AwsSolutionsChecks } from 'cdk-nag';
import { Callboard, CallboardProps } from '../lib/callboard';

const app = new App();
const context = (name: string): string | undefined => app.node.tryGetContext(name);
const stack = new Stack(app, context('stack') ?? 'callboard', {
  description: 'Callboard: a fair waitlist and notifications on one journal, joined by events',
});
const functions = context('functions');
const callboard = new Callboard(stack, 'Callboard', {
  stage: (context('stage') ?? 'dev') as NonNullable<CallboardProps['stage']>,
  architecture: context('architecture') === 'x86_64' ? Architecture.X86_64 : Architecture.ARM_64,
  mail: {
    from: context('mailFrom') ?? 'callboard@example.com',
    identity: context('mailIdentity') ?? 'example.com',
  },
  ...(functions === undefined ? {} : { functions }),
});
new CfnOutput(stack, 'Api', { value: callboard.apiUrl });
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
