//! Datagrams that ask where the name server is. They change nothing, and no answer is longer than its question.
//!
//! Pyro 5 asks with nine letters. Pyroxene asks with 512 bytes, so that nobody can use a name server to multiply traffic, and a nonce, so
//! that an answer belongs to its question:
//!
//! ```text
//! question  0 "PYROXENE"   8 version = 1   9 kind = 1   10 nonce (16)   26 zeros up to 512
//! answer    0 "PYROXENE"   8 version = 1   9 kind = 2   10 nonce (16)   26 length (u16)   28 URI   then length (u8) and HMAC, if any
//! ```

/// What Pyro 5 asks.
pub const PYRO_QUESTION: &[u8; 9] = b"GET_NSURI";
/// Bytes of Pyroxene's question.
pub const QUESTION_LEN: usize = 512;
/// Bytes that Pyro 5 reads of an answer.
pub const PYRO_ANSWER_LEN: usize = 100;
/// The UDP port that questions go to, as in Pyro 5.
pub const PORT: u16 = 9_091;

const MAGIC: &[u8; 8] = b"PYROXENE";
const VERSION: u8 = 1;
const ASKS: u8 = 1;
const ANSWERS: u8 = 2;
const HEAD: usize = 28;
const MAX_URI: usize = 400;

/// A question for the name server's URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// From Pyro 5.
    Pyro,
    /// From Pyroxene, with what its answer has to repeat.
    Pyroxene {
        /// 128 random bits.
        nonce: [u8; 16],
    },
}

/// Why a datagram is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatagramError {
    /// It is something else.
    #[error("not a datagram of the discovery protocol")]
    Foreign,
    /// It answers another question.
    #[error("an answer to a question that was not asked")]
    NotAsked,
    /// The URI is too long for the asker.
    #[error("the URI has {len} bytes; the asker reads {limit}")]
    TooLong {
        /// Its length, bytes.
        len: usize,
        /// What is allowed, bytes.
        limit: usize,
    },
}

impl Question {
    /// The datagram.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Question::Pyro => PYRO_QUESTION.to_vec(),
            Question::Pyroxene { nonce } => {
                let mut bytes = vec![0; QUESTION_LEN];
                bytes[..8].copy_from_slice(MAGIC);
                bytes[8] = VERSION;
                bytes[9] = ASKS;
                bytes[10..26].copy_from_slice(nonce);
                bytes
            }
        }
    }

    /// What a datagram asks.
    ///
    /// # Errors
    /// Nothing of this protocol.
    pub fn decode(bytes: &[u8]) -> Result<Question, DatagramError> {
        if bytes == PYRO_QUESTION {
            return Ok(Question::Pyro);
        }
        let nonce = nonce(bytes, ASKS).ok_or(DatagramError::Foreign)?;
        if bytes.len() == QUESTION_LEN { Ok(Question::Pyroxene { nonce }) } else { Err(DatagramError::Foreign) }
    }

    /// The datagram that answers it with `uri`, already in the asker's spelling.
    ///
    /// # Errors
    /// The URI is too long for the asker.
    pub fn answer(&self, uri: &str) -> Result<Vec<u8>, DatagramError> {
        let (len, limit) = (uri.len(), if *self == Question::Pyro { PYRO_ANSWER_LEN } else { MAX_URI });
        if len > limit {
            return Err(DatagramError::TooLong { len, limit });
        }
        Ok(match self {
            Question::Pyro => uri.as_bytes().to_vec(),
            Question::Pyroxene { nonce } => {
                let mut bytes = Vec::with_capacity(HEAD + len + 1);
                bytes.extend_from_slice(MAGIC);
                bytes.extend_from_slice(&[VERSION, ANSWERS]);
                bytes.extend_from_slice(nonce);
                bytes.extend_from_slice(&(len as u16).to_be_bytes());
                bytes.extend_from_slice(uri.as_bytes());
                bytes.push(0);
                bytes
            }
        })
    }

    /// The URI in an answer to this question.
    ///
    /// # Errors
    /// The datagram is not one.
    pub fn read_answer(&self, bytes: &[u8]) -> Result<String, DatagramError> {
        let text = match self {
            Question::Pyro => bytes,
            Question::Pyroxene { nonce: asked } => {
                let answered = nonce(bytes, ANSWERS).ok_or(DatagramError::Foreign)?;
                if answered != *asked {
                    return Err(DatagramError::NotAsked);
                }
                let len = bytes.get(26..HEAD).ok_or(DatagramError::Foreign)?;
                let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
                bytes.get(HEAD..HEAD + len).ok_or(DatagramError::Foreign)?
            }
        };
        String::from_utf8(text.to_vec()).map_err(|_| DatagramError::Foreign)
    }
}

fn nonce(bytes: &[u8], kind: u8) -> Option<[u8; 16]> {
    let head = bytes.get(..26)?;
    if &head[..8] != MAGIC || head[8] != VERSION || head[9] != kind {
        return None;
    }
    head[10..26].try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "PYRO://127.0.0.1:9090/Pyro.NameServer";

    #[test]
    fn an_answer_comes_back_and_is_no_longer_than_its_question() {
        let question = Question::Pyroxene { nonce: [7; 16] };
        let asked = question.encode();
        assert_eq!(Question::decode(&asked), Ok(question));
        let answer = question.answer(URI).unwrap();
        assert!(answer.len() <= asked.len());
        assert_eq!(question.read_answer(&answer).as_deref(), Ok(URI));
    }

    #[test]
    fn an_answer_to_another_question_is_refused() {
        let answer = Question::Pyroxene { nonce: [7; 16] }.answer(URI).unwrap();
        assert_eq!(Question::Pyroxene { nonce: [8; 16] }.read_answer(&answer), Err(DatagramError::NotAsked));
    }

    #[test]
    fn pyro_5_is_understood_to_the_letter() {
        assert_eq!(Question::decode(b"GET_NSURI"), Ok(Question::Pyro));
        assert_eq!(Question::decode(b"GET_NSURI\n"), Err(DatagramError::Foreign));
        assert!(Question::Pyro.answer(&"x".repeat(101)).is_err());
    }

    #[test]
    fn whatever_comes_is_refused_in_peace() {
        for len in 0..QUESTION_LEN + 2 {
            let bytes: Vec<u8> = MAGIC.iter().copied().chain(std::iter::repeat(1)).take(len).collect();
            let _ = Question::decode(&bytes);
            let _ = Question::Pyroxene { nonce: [1; 16] }.read_answer(&bytes);
        }
    }
}
