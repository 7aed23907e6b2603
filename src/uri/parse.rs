//! Text to [`Uri`]: both our spelling (`PYRO://host:port/object-id`) and Pyro 5's (`PYRO:object-id@host:port`).
//!
//! Two slashes after the scheme tell them apart: neither an object id nor a name can hold a slash.

use std::str::FromStr;

use super::{
    DAEMON_PORT, Endpoint, LocationUri, MAX_META_BYTES, MAX_URI_BYTES, MetaUri, NAME_SERVER_PORT, NameText, NameUri,
    ObjectId, ObjectUri, Tag, Uri, UriError, UriProblem, endpoint::UNIX_PREFIX, error::Flaw, text::check_size,
};

const OBJECT_EXAMPLE: &str = "PYRO://host:7766/object-id";
const NAME_EXAMPLE: &str = "PYRONAME://bank.alice or PYRONAME://host:9090/bank.alice";
const LOCATION_EXAMPLE: &str = "PYROLOC://host:7766/bank.alice";
pub(super) const META_EXAMPLE: &str = "PYROMETA:teller,open or PYROMETA:teller,open@host:9090";

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (example, uri) = parse(text);
        uri.map_err(|flaw| flaw.in_text("URI", text, example))
    }
}

impl TryFrom<String> for Uri {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The URI in `text`, and what a URI of its kind looks like for whoever must correct it.
fn parse(text: &str) -> (&'static str, Result<Uri, Flaw>) {
    if let Err(problem) = check_size(text, MAX_URI_BYTES) {
        return (OBJECT_EXAMPLE, Err(Flaw { part: "it", problem }));
    }
    let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
    match scheme.to_ascii_uppercase().as_str() {
        "PYRO" => (OBJECT_EXAMPLE, object(rest)),
        "PYRONAME" => (NAME_EXAMPLE, name(rest)),
        "PYROLOC" => (LOCATION_EXAMPLE, location(rest)),
        "PYROMETA" => (META_EXAMPLE, meta(rest)),
        _ => (OBJECT_EXAMPLE, Err(Flaw { part: "the scheme", problem: UriProblem::Scheme })),
    }
}

fn object(rest: &str) -> Result<Uri, Flaw> {
    let (endpoint, object) = match rest.strip_prefix("//") {
        Some(rest) => split_slash(rest),
        None => split_at_sign(rest),
    };
    let object = ObjectId::checked(object.unwrap_or_default(), "the object id")?;
    let endpoint = Endpoint::parse(endpoint.unwrap_or_default(), None)?;
    Ok(Uri::Object(ObjectUri { endpoint, object }))
}

fn name(rest: &str) -> Result<Uri, Flaw> {
    let (server, name) = match rest.strip_prefix("//") {
        Some(rest) => match split_slash(rest) {
            (Some(name), None) => (None, Some(name)),
            both => both,
        },
        None => split_at_sign(rest),
    };
    let name = NameText::checked(name.unwrap_or_default(), "the name")?;
    let server = server.map(|server| Endpoint::parse(server, Some(NAME_SERVER_PORT))).transpose()?;
    Ok(Uri::Name(NameUri { server, name }))
}

fn location(rest: &str) -> Result<Uri, Flaw> {
    let (endpoint, name) = split_slash(rest.strip_prefix("//").unwrap_or_default());
    let name = NameText::checked(name.unwrap_or_default(), "the name")?;
    let endpoint = Endpoint::parse(endpoint.unwrap_or_default(), Some(DAEMON_PORT))?;
    Ok(Uri::Location(LocationUri { endpoint, name }))
}

fn meta(rest: &str) -> Result<Uri, Flaw> {
    let (server, tags) = split_at_sign(rest);
    let tags = tags.unwrap_or_default().split(',').map(|tag| Tag::checked(tag, "a tag")).collect::<Result<_, _>>()?;
    let server = server.map(|server| Endpoint::parse(server, Some(NAME_SERVER_PORT))).transpose()?;
    MetaUri::checked(tags, server).map(Uri::Meta).map_err(|(_, flaw)| flaw)
}

impl MetaUri {
    /// The URI, or the joined tags and what is wrong with them.
    pub(super) fn checked(mut tags: Vec<Tag>, server: Option<Endpoint>) -> Result<Self, (String, Flaw)> {
        tags.sort_unstable();
        tags.dedup();
        let bytes = tags.iter().map(|tag| tag.as_str().len() + 1).sum::<usize>().saturating_sub(1);
        let problem = match bytes {
            0 => UriProblem::Missing,
            bytes if bytes > MAX_META_BYTES => UriProblem::TooLong { bytes, limit: MAX_META_BYTES },
            _ => return Ok(Self { tags: tags.into(), server }),
        };
        let joined = tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(",");
        Err((joined, Flaw { part: "the list of tags", problem }))
    }
}

/// Our spelling: what stands before and after the `/` that ends the address. A socket's path may hold slashes of its own.
fn split_slash(rest: &str) -> (Option<&str>, Option<&str>) {
    let split = if rest.starts_with(UNIX_PREFIX) { rest.rsplit_once('/') } else { rest.split_once('/') };
    match split {
        Some((address, last)) => (Some(address), Some(last)),
        None => (Some(rest), None),
    }
}

/// Pyro 5's spelling: what stands after (the address) and before the `@`. Only a socket's path may hold an `@` of its own.
fn split_at_sign(rest: &str) -> (Option<&str>, Option<&str>) {
    let split = match rest.split_once('@') {
        Some((first, address)) if address.starts_with(UNIX_PREFIX) => Some((first, address)),
        _ => rest.rsplit_once('@'),
    };
    match split {
        Some((first, address)) => (Some(address), Some(first)),
        None => (None, Some(rest)),
    }
}
