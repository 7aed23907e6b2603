//! The derives and attributes of `pyroxene`; use them through that crate, which re-exports and explains them.
//!
//! | macro | goes on | makes |
//! |---|---|---|
//! | [`RemoteMessage`] | a message struct | the method it calls |
//! | [`RemoteObject`] | an actix actor | an object that answers to the messages it lists |
//! | [`macro@remote`] | an `impl` block, a trait, an `impl` of such a trait | messages, object and proxy, from methods |
//! | [`macro@main`] | `async fn main` | a program in which objects can live |
//!
//! Every macro reads its whole input before it complains, and shows all mistakes at once, each at the token that has to change.

mod adapter;
mod attributes;
mod check;
mod derive_message;
mod derive_object;
mod entry;
mod facets;
mod message;
mod mistakes;
mod model;
mod names;
mod object_side;
mod options;
mod package;
mod places;
mod proxy_side;
mod remote;
#[cfg(test)]
mod testing;

use proc_macro::TokenStream;

/// Makes a serde struct a message that can be sent to an object in another process: one message is one method.
///
/// What the handler returns is read from actix's own attribute, `#[rtype(result = "…")]`. A crate that must build without actix writes
/// `#[remote(returns = "…")]` instead of it and of actix's derive; where objects are hosted, the struct becomes an actix message all the same.
///
/// A `Result<T, E>` is written out with both types: the caller gets `T`, or the same `E` back.
///
/// ```
/// use pyroxene::RemoteMessage;
/// use serde::{Deserialize, Serialize};
///
/// /// Takes money out.
/// #[derive(Serialize, Deserialize, RemoteMessage)]
/// #[remote(returns = "u64", idempotent)]
/// struct Balance;
///
/// assert_eq!(Balance::METHOD, "balance");
/// assert_eq!(Balance::DOC, "Takes money out.");
/// ```
///
/// | `#[remote(…)]` | |
/// |---|---|
/// | `returns = "T"` | what the handler returns, in place of `#[rtype]` |
/// | `name = "…"` | the method's name on the wire; otherwise the type's in `snake_case` |
/// | `idempotent` | twice is as good as once, so a proxy that is told to may retry it |
/// | `cancellable` | it is stopped where it waits, once its caller has given it up or its time is over |
/// | `oneway` | nobody waits for it; it returns `()` |
/// | `crate = "…"` | where `pyroxene` is found, if it was renamed |
#[proc_macro_derive(RemoteMessage, attributes(remote, rtype))]
pub fn derive_remote_message(input: TokenStream) -> TokenStream {
    expand(derive_message::expand(input.into()))
}

/// Makes an actix actor an object that answers to the messages it lists; nothing is callable unless it is listed.
///
/// ```
/// use actix::{Actor, Context, Handler, Message};
/// use pyroxene::{Interface, RemoteMessage, RemoteObject};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Message, RemoteMessage)]
/// #[rtype(result = "u64")]
/// struct Balance;
///
/// #[derive(RemoteObject)]
/// #[remote(methods(Balance))]
/// struct Account {
///     balance: u64,
/// }
///
/// impl Actor for Account {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<Balance> for Account {
///     type Result = u64;
///     fn handle(&mut self, _: Balance, _: &mut Context<Self>) -> u64 {
///         self.balance
///     }
/// }
///
/// assert_eq!(Account::METHODS[0].name, "balance");
/// ```
///
/// The handlers are plain actix handlers: whatever they return, actix knows how to send.
///
/// | `#[remote(…)]` | |
/// |---|---|
/// | `methods(…)` | the messages that can be called from afar |
/// | `facets(…)` | for a plain struct, in place of messages: the shared traits that it implements, all of which can be called from afar |
/// | `crate = "…"` | where `pyroxene` is found, if it was renamed |
///
/// | on a field | |
/// |---|---|
/// | `attr` | an attribute that can be read and written from afar |
/// | `attr(read)` | one that can be read |
/// | `nested` | a struct with attributes of its own, by [`RemoteAttributes`] |
/// | `name = "…"` | the attribute's name, if not the field's |
#[proc_macro_derive(RemoteObject, attributes(remote))]
pub fn derive_remote_object(input: TokenStream) -> TokenStream {
    expand(derive_object::expand(input.into()))
}

/// Makes a struct part of an object's state that can be reached from afar: nested in the object, its attributes are `address.street`, and its
/// methods `address.move_to`.
///
/// ```
/// use pyroxene::RemoteAttributes;
///
/// #[derive(RemoteAttributes)]
/// struct Address {
///     /// Where the letters go.
///     #[remote(attr)]
///     street: String,
///     #[remote(attr(read))]
///     moves: u64,
/// }
///
/// #[pyroxene::remote(nested)]
/// impl Address {
///     pub fn move_to(&mut self, street: String) {
///         self.street = street;
///         self.moves += 1;
///     }
/// }
/// ```
///
/// The fields take what those of a [`RemoteObject`] take; a field without a word stays hidden.
#[proc_macro_derive(RemoteAttributes, attributes(remote))]
pub fn derive_remote_attributes(input: TokenStream) -> TokenStream {
    expand(attributes::derive(input.into()))
}

/// Makes objects and proxies from methods.
///
/// - On `impl Account`, every `pub fn` with `&self` or `&mut self` becomes a method of the object `Account`, and `AccountProxy` has the same
///   methods for callers elsewhere. An `async fn` has the object to itself until it ends.
/// - On `trait Bank`, it makes the interface that client and server share, and `BankProxy`. Nothing of actix is needed for it.
/// - On `impl Bank for Account`, it makes `Account` an object with the methods of that trait. An object with several traits derives
///   [`RemoteObject`] instead and lists them: `#[remote(facets(Teller, Auditor))]`.
/// - On a trait, `#[pyroxene::remote(adapter = thermometers::Thermometer)]` makes an object of a type of another crate as well:
///   `ThermometerAdapter(…)` has the methods of the trait, and calls the type's own of the same names. A method with a body is not the type's;
///   in it `self.0` is the value.
///
/// ```no_run
/// #[derive(Default)]
/// struct Account {
///     balance: u64,
///     remarks: Vec<String>,
/// }
///
/// #[pyroxene::remote]
/// impl Account {
///     /// Puts money in.
///     pub fn deposit(&mut self, amount: u64) -> u64 {
///         self.balance += amount;
///         self.balance
///     }
///
///     #[remote(idempotent)]
///     pub fn balance(&self) -> u64 {
///         self.balance
///     }
///
///     #[remote(oneway)]
///     pub fn remark(&mut self, line: String) {
///         self.remarks.push(line);
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let account = AccountProxy::connect("PYRONAME://bank.alice").await?;
/// account.deposit(30).timeout_ms(200).await?;
/// account.remark("thanks".into());
/// # Ok(()) }
/// ```
///
/// Arguments and results are values that serde can write and read; they are copied, so references have no place among them.
///
/// | `#[remote(…)]` on a method | |
/// |---|---|
/// | `idempotent` | twice is as good as once, so a proxy that is told to may retry it |
/// | `cancellable` | it is stopped where it waits, once its caller has given it up or its time is over |
/// | `oneway` | nobody waits for it; it returns nothing |
/// | `name = "…"` | its name on the wire, if not its own |
/// | `attr` | what it returns is an attribute; with a `pub fn set_…` of its name beside it, one that can be written |
/// | `attr(read)` | the same without being written |
/// | `nested` | it returns `&mut` to a struct with attributes of its own, by [`RemoteAttributes`] |
///
/// `#[pyroxene::remote(attributes)]` makes the fields that the type's own `#[derive(RemoteAttributes)]` marks attributes of the object, and
/// `#[pyroxene::remote(nested)]` makes methods of a struct that is nested in one.
///
/// `#[pyroxene::remote(crate = "…")]` says where `pyroxene` is found, if it was renamed.
#[proc_macro_attribute]
pub fn remote(options: TokenStream, item: TokenStream) -> TokenStream {
    remote::expand(options.into(), item.into()).into()
}

/// Makes `async fn main` the `main` of a program in which objects can live.
///
/// It returns nothing or a `Result<(), E>`. An error ends the program with exit code 1 and one clear line on stderr.
///
/// ```
/// #[pyroxene::main]
/// async fn main() -> Result<(), std::num::ParseIntError> {
///     let port: u16 = "9090".parse()?;
///     assert_eq!(port, 9090);
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(&options.into(), &item.into()).into()
}

fn expand(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(|mistakes| mistakes.to_compile_error()).into()
}
