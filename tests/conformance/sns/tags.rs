//! Tags of topics.

use crate::prelude::*;
use std::collections::BTreeMap;

const CREATE: &str = "https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html";
const TAG: &str = "https://docs.aws.amazon.com/sns/latest/api/API_TagResource.html";
const UNTAG: &str = "https://docs.aws.amazon.com/sns/latest/api/API_UntagResource.html";
const LIST: &str = "https://docs.aws.amazon.com/sns/latest/api/API_ListTagsForResource.html";

fn tag_fields(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    (1..)
        .zip(tags)
        .flat_map(|(place, (key, value))| {
            let member = format!("Tags.member.{place}");
            [
                (format!("{member}.Key"), (*key).to_owned()),
                (format!("{member}.Value"), (*value).to_owned()),
            ]
        })
        .collect()
}

async fn tagging(aws: &Aws, arn: &str, tags: &[(&str, &str)]) -> Result<XmlReply> {
    let mut fields = tag_fields(tags);
    fields.push(("ResourceArn".to_owned(), arn.to_owned()));
    aws.sns("TagResource", &borrowed(&fields)).await
}

async fn making(aws: &Aws, name: &str, tags: &[(&str, &str)]) -> Result<XmlReply> {
    let mut fields = tag_fields(tags);
    fields.push(("Name".to_owned(), name.to_owned()));
    aws.sns("CreateTopic", &borrowed(&fields)).await
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<BTreeMap<String, String>> {
    let reply = aws
        .sns("ListTagsForResource", &[("ResourceArn", arn)])
        .await?
        .ok()?;
    let texts = |path| reply.all(path).into_iter().map(str::to_owned);
    Ok(texts("Tags/member/Key")
        .zip(texts("Tags/member/Value"))
        .collect())
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    owned.collect()
}

checks! {
    TAG => async fn tags_are_added_and_replaced(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        tagging(&aws, &topic.arn, &[("k1", "v1"), ("k2", "v2")]).await?.ok()?;
        ensure_eq!(tags_of(&aws, &topic.arn).await?, tags(&[("k1", "v1"), ("k2", "v2")]));
        tagging(&aws, &topic.arn, &[("k2", "other")]).await?.ok()?;
        ensure_eq!(tags_of(&aws, &topic.arn).await?, tags(&[("k1", "v1"), ("k2", "other")]));
        Ok(())
    }

    TAG => async fn the_same_key_twice_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        tagging(&aws, &topic.arn, &[("k1", "v1"), ("k2", "v2"), ("k2", "v2")]).await?
            .refused_saying(400, "InvalidParameter", "Duplicated keys are not allowed.")
    }

    TAG => async fn a_topic_takes_fifty_tags(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let keys: Vec<String> = (0..51).map(|key| format!("k{key}")).collect();
        let many: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        tagging(&aws, &topic.arn, &many[..50]).await?.ok()?;
        tagging(&aws, &topic.arn, &many[50..]).await?.refused(400, "TagLimitExceeded")
    }

    TAG => async fn an_answer_without_anything_to_say_has_an_empty_result(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let reply = tagging(&aws, &topic.arn, &[("k", "v")]).await?.ok()?;
        ensure_eq!(reply.all("TagResourceResult"), [""]);
        Ok(())
    }

    TAG => async fn what_is_not_there_cannot_be_tagged(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let other = format!("{}-other", topic.arn);
        tagging(&aws, &other, &[("k", "v")]).await?.refused(404, "ResourceNotFound")
    }

    UNTAG => async fn tags_are_taken_away_by_key(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        tagging(&aws, &topic.arn, &[("k1", "v1"), ("k2", "v2")]).await?.ok()?;
        let fields = [("ResourceArn", topic.arn.as_str()), ("TagKeys.member.1", "k1"), ("TagKeys.member.2", "none")];
        aws.sns("UntagResource", &fields).await?.ok()?;
        ensure_eq!(tags_of(&aws, &topic.arn).await?, tags(&[("k2", "v2")]));
        Ok(())
    }

    LIST => async fn a_topic_made_with_tags_has_them(aws: Aws) {
        let made = making(&aws, &aws.name("news"), &[("team", "desk")]).await?.ok()?;
        ensure_eq!(tags_of(&aws, made.text("TopicArn")?).await?, tags(&[("team", "desk")]));
        Ok(())
    }

    CREATE => async fn made_again_with_some_of_its_tags_it_is_the_same(aws: Aws) {
        let name = aws.name("news");
        let both = [("a", "1"), ("b", "2")];
        let arn = making(&aws, &name, &both).await?.ok()?.text("TopicArn")?.to_owned();
        for same in [&both[..], &both[..1], &[]] {
            ensure_eq!(making(&aws, &name, same).await?.ok()?.text("TopicArn")?, arn);
        }
        Ok(())
    }

    CREATE => async fn made_again_with_more_tags_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        making(&aws, &topic.name, &[("a", "1")]).await?.refused_saying(
            400,
            "InvalidParameter",
            "Tags Reason: Topic already exists with different tags",
        )
    }
}
