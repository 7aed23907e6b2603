//! What is answered to which question: [`Answers`].

use pyroxene::uri::Uri;
use pyroxene::wire::discovery::{PYRO_ANSWER_LEN, Question};

/// The name server's URI, in the spelling of each kind of asker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answers {
    ours: String,
    pyro: Option<String>,
}

impl Answers {
    pub(super) fn new(uri: &Uri) -> Answers {
        Answers { ours: uri.to_string(), pyro: uri.pyro5().filter(|text| text.len() <= PYRO_ANSWER_LEN) }
    }

    /// Whether Pyro 5 can be answered: it reads only so many bytes.
    pub(super) fn has_pyro(&self) -> bool {
        self.pyro.is_some()
    }

    /// The answer to a datagram, unless it is no question or this asker cannot be answered.
    pub(super) fn to(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        let question = Question::decode(datagram).ok()?;
        let uri = match question {
            Question::Pyro => self.pyro.as_ref()?,
            Question::Pyroxene { .. } => &self.ours,
        };
        question.answer(uri).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(uri: &str) -> Answers {
        Answers::new(&uri.parse().unwrap())
    }

    #[test]
    fn each_asker_is_answered_in_its_own_spelling() {
        let answers = answers("PYRO://127.0.0.1:9090/Pyro.NameServer");
        assert_eq!(answers.to(b"GET_NSURI").unwrap(), b"PYRO:Pyro.NameServer@127.0.0.1:9090");
        let question = Question::Pyroxene { nonce: [7; 16] };
        let answer = answers.to(&question.encode()).unwrap();
        assert_eq!(question.read_answer(&answer).unwrap(), "PYRO://127.0.0.1:9090/Pyro.NameServer");
    }

    #[test]
    fn pyro_5_is_not_told_half_a_uri() {
        let answers = answers(&format!("PYRO://{}.example:9090/Pyro.NameServer", "a".repeat(90)));
        assert!(!answers.has_pyro());
        assert_eq!(answers.to(b"GET_NSURI"), None);
        assert!(answers.to(&Question::Pyroxene { nonce: [7; 16] }.encode()).is_some());
    }

    #[test]
    fn what_is_no_question_gets_no_answer() {
        let answers = answers("PYRO://127.0.0.1:9090/Pyro.NameServer");
        let asked = Question::Pyroxene { nonce: [7; 16] }.encode();
        let longer: Vec<u8> = asked.iter().copied().chain([0]).collect();
        for datagram in [&b""[..], b"GET_NSURI\0", b"SHUTDOWN", &asked[..511], &longer] {
            assert_eq!(answers.to(datagram), None, "{datagram:?}");
        }
    }
}
