//! What a person means who answers a text message, and the short text that is sent back.
//!
//! Words and texts are data: one file per language in `events/replies`. All languages are
//! understood at once, for nobody knows in which one somebody answers. A text is understood as a
//! whole or not at all: *yes but not before ten* is no yes.
//!
//! The English words to stop are those that carriers and Twilio take by themselves
//! (<https://help.twilio.com/articles/223134027>; CTIA, Messaging Principles and Best Practices,
//! 5.1.3) with those that 47 CFR 64.1200(a)(10) names since April 2025. One difference: `YES`,
//! which Twilio also takes for a consent, is an answer to an offer here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::data;

/// The language of who has none of ours.
const STANDARD: &str = "en";

/// What a person means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The offer is accepted.
    Accept,
    /// The offer is declined.
    Decline,
    /// No more text messages.
    Stop,
    /// Text messages again.
    Start,
    /// How to answer.
    Help,
    /// Anything else, and whatever could mean two things.
    Unknown,
}

impl Meaning {
    /// As it is told in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Decline => "decline",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Help => "help",
            Self::Unknown => "unknown",
        }
    }
}

/// What became of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The slot is the person's.
    Accepted,
    /// The slot goes to the next.
    Declined,
    /// The offer stands no more.
    TooLate,
    /// The opposite was answered before.
    AnsweredBefore,
    /// Nothing is offered.
    NoOffer,
    /// Nobody can know which offer is meant.
    SeveralOffers,
    /// No more text messages are sent.
    Stopped,
    /// Text messages are sent.
    Started,
    /// The person is told how to answer.
    Help,
    /// The same, for the reply was not understood.
    Unknown,
}

impl Outcome {
    /// As it is told in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::TooLate => "too-late",
            Self::AnsweredBefore => "answered-before",
            Self::NoOffer => "no-offer",
            Self::SeveralOffers => "several-offers",
            Self::Stopped => "stopped",
            Self::Started => "started",
            Self::Help => "help",
            Self::Unknown => "unknown",
        }
    }

    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Declined,
        Self::TooLate,
        Self::AnsweredBefore,
        Self::NoOffer,
        Self::SeveralOffers,
        Self::Stopped,
        Self::Started,
        Self::Help,
        Self::Unknown,
    ];
}

/// One language.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Language {
    accept: Vec<String>,
    decline: Vec<String>,
    stop: Vec<String>,
    start: Vec<String>,
    help: Vec<String>,
    /// Adds nothing to what is meant.
    polite: Vec<String>,
    /// What a line begins with that a telephone adds.
    signatures: Vec<String>,
    answers: BTreeMap<Outcome, String>,
}

/// All languages.
struct Words {
    languages: BTreeMap<&'static str, Language>,
    /// Normalised phrases; one that means two things means none.
    phrases: BTreeMap<String, Meaning>,
    polite: Vec<Vec<String>>,
    signatures: Vec<String>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let languages = data::REPLIES.iter().map(|(file, text)| {
        let language = serde_json::from_str(text).expect("read in this module's tests");
        (file.trim_end_matches(".json"), language)
    });
    Words::of(languages.collect())
});

/// What `text` means.
#[must_use]
pub fn meaning(text: &str) -> Meaning {
    WORDS.meaning(text)
}

/// The text for an outcome in the language of `locale`, such as `de-CH`. `{service}` and `{when}`
/// of the slot are filled in; `when` is a time as numbers, for every language reads those.
#[must_use]
pub fn answer(outcome: Outcome, locale: Option<&str>, service: &str, when: &str) -> String {
    let tag = locale.unwrap_or(STANDARD).to_lowercase();
    let language = tag.split('-').next().unwrap_or(STANDARD);
    let languages = &WORDS.languages;
    let language = languages.get(language).or_else(|| languages.get(STANDARD));
    let text = language.and_then(|language| language.answers.get(&outcome));
    text.map_or_else(String::new, |text| {
        // The time first: a service may be called anything.
        text.replace("{when}", when).replace("{service}", service)
    })
}

impl Words {
    fn of(languages: BTreeMap<&'static str, Language>) -> Self {
        let mut phrases = BTreeMap::new();
        for language in languages.values() {
            let meanings = [
                (&language.accept, Meaning::Accept),
                (&language.decline, Meaning::Decline),
                (&language.stop, Meaning::Stop),
                (&language.start, Meaning::Start),
                (&language.help, Meaning::Help),
            ];
            for (phrase, meaning) in meanings
                .into_iter()
                .flat_map(|(all, meaning)| all.iter().map(move |phrase| (phrase, meaning)))
            {
                let known = phrases.entry(words_of(phrase).join(" ")).or_insert(meaning);
                if *known != meaning {
                    *known = Meaning::Unknown;
                }
            }
        }
        let all = |of: fn(&Language) -> &Vec<String>| languages.values().flat_map(of);
        let polite = all(|it| &it.polite)
            .map(|phrase| words_of(phrase))
            .collect();
        let signatures = all(|it| &it.signatures).map(|it| words_of(it).join(" "));
        Self {
            signatures: signatures.collect(),
            polite,
            phrases,
            languages,
        }
    }

    fn meaning(&self, text: &str) -> Meaning {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let said = lines.take_while(|line| !self.is_signature(line));
        let mut words: Vec<_> = said.flat_map(words_of).collect();
        if let Some(meaning) = self.phrase(&words) {
            return meaning;
        }
        for polite in &self.polite {
            while let Some(at) = words.windows(polite.len()).position(|it| it == polite) {
                words.drain(at..at + polite.len());
            }
        }
        if let Some(meaning) = self.phrase(&words) {
            return meaning;
        }
        // The same said more than once: *yes yes*, *ja, yes*.
        let mut meanings = words
            .iter()
            .map(|word| self.phrase(std::slice::from_ref(word)));
        let first = meanings.next().flatten().unwrap_or(Meaning::Unknown);
        if meanings.all(|other| other == Some(first)) {
            first
        } else {
            Meaning::Unknown
        }
    }

    fn phrase(&self, words: &[String]) -> Option<Meaning> {
        self.phrases.get(&words.join(" ")).copied()
    }

    fn is_signature(&self, line: &str) -> bool {
        let words = words_of(line).join(" ");
        words.is_empty() && line.starts_with("--")
            || self.signatures.iter().any(|begin| words.starts_with(begin))
    }
}

/// The words of a text in lower case, without accents; what stands between them says nothing.
fn words_of(text: &str) -> Vec<String> {
    let said: String = text
        .chars()
        .flat_map(char::to_lowercase)
        .filter_map(plain)
        .collect();
    said.split_whitespace().map(str::to_owned).collect()
}

/// A telephone's keyboard may have no accents. A sign that is neither letter nor digit parts words
/// (`yes!no`), but those inside of a word do not (`j'accepte`, `y.e.s`); one that may say something
/// (a smiling face, a question mark) is a word of its own that nobody knows.
fn plain(sign: char) -> Option<char> {
    Some(match sign {
        'à' | 'á' | 'â' | 'ã' | 'ä' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        // A composed accent, a selector of how a sign looks, an apostrophe.
        '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' | '\'' | '’' => return None,
        '.' | ',' | ';' | ':' | '!' | '¡' | '"' | '“' | '”' | '„' | '«' | '»' | '(' | ')' | '*'
        | '-' => ' ',
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meanings<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, Meaning)> {
        let texts = texts.into_iter();
        texts.map(|text| (text, meaning(text))).collect()
    }

    fn all_mean(expected: Meaning, texts: &[&str]) {
        for (text, meaning) in meanings(texts.iter().copied()) {
            assert_eq!(meaning, expected, "{text:?}");
        }
    }

    #[test]
    fn yes_and_no_are_understood_in_every_language_however_they_are_written() {
        all_mean(
            Meaning::Accept,
            &[
                "YES",
                "yes",
                " Yes. ",
                "yes!!",
                "y",
                "Yes please",
                "yes, thank you!",
                "YES YES",
                "\"Yes\"",
                "Ja",
                "ja bitte",
                "Oui merci",
                "J’accepte",
                "Sí",
                "si\u{301}",
                "SI",
                "Sì grazie",
            ],
        );
        all_mean(
            Meaning::Decline,
            &[
                "NO",
                "no thanks",
                "No, thank you.",
                "n",
                "Nein danke",
                "non merci",
                "No gracias",
            ],
        );
    }

    #[test]
    fn the_words_that_carriers_take_for_a_stop_are_one() {
        // https://help.twilio.com/articles/223134027
        all_mean(
            Meaning::Stop,
            &[
                "STOP",
                "Stopall",
                "UNSUBSCRIBE",
                "cancel",
                "End",
                "quit",
                "REVOKE",
                "OPTOUT",
                "stop please",
                "opt-out",
                "Stopp",
                "ARRET",
                "arrêt",
                "baja",
                "STOP.\n",
            ],
        );
        all_mean(Meaning::Start, &["START", "unstop"]);
        all_mean(Meaning::Help, &["HELP", "info", "Hilfe", "aide"]);
    }

    #[test]
    fn what_could_mean_something_else_is_never_taken_for_a_yes() {
        all_mean(
            Meaning::Unknown,
            &[
                "",
                "  ",
                "thanks",
                "yes but not before 10",
                "yes no",
                "yes or no",
                "yes?",
                "no yes",
                "not yes",
                "ok",
                "👍",
                "maybe",
                "yes 👎",
                "don't stop",
                "stop yes",
                "1",
                "ja nein",
                "Yes\nbut only if it is Dr A",
                "yesterday",
                "si j'étais libre",
                "oui mais",
            ],
        );
    }

    #[test]
    fn what_a_telephone_adds_below_is_passed_over_and_what_a_person_adds_is_not() {
        all_mean(
            Meaning::Accept,
            &[
                "Yes\n\nSent from my iPhone",
                "yes\r\n-- \r\nKim",
                "Ja\nVon meinem iPhone gesendet",
                "Oui\nEnvoyé de mon téléphone",
            ],
        );
        all_mean(Meaning::Unknown, &["Sent from my iPhone", "Yes\nKim"]);
    }

    #[test]
    fn every_language_has_words_and_texts_for_all_and_no_word_means_two_things() {
        assert_eq!(data::REPLIES.len(), WORDS.languages.len());
        for name in ["en", "de", "fr", "es", "it"] {
            let language = &WORDS.languages[name];
            for outcome in Outcome::ALL {
                assert!(
                    language.answers.contains_key(&outcome),
                    "{name} {outcome:?}"
                );
                let json = serde_json::Value::from(outcome.as_str());
                assert_eq!(serde_json::from_value::<Outcome>(json).ok(), Some(outcome));
            }
            assert!(!language.accept.is_empty() && !language.decline.is_empty());
        }
        let twofold: Vec<_> = WORDS
            .phrases
            .iter()
            .filter(|(_, meaning)| **meaning == Meaning::Unknown)
            .collect();
        assert!(twofold.is_empty(), "{twofold:?}");
    }

    #[test]
    fn the_text_is_in_the_persons_language_or_english() {
        let text = |locale| answer(Outcome::Accepted, locale, "physio", "2030-05-02 11:00 CEST");
        assert_eq!(
            text(Some("de-CH")),
            "Der Termin ist für Sie gebucht: physio, 2030-05-02 11:00 CEST."
        );
        for locale in [None, Some("en-GB"), Some("tlh")] {
            assert_eq!(
                text(locale),
                "You are booked: physio, 2030-05-02 11:00 CEST."
            );
        }
    }
}
