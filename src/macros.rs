//! The derives and attributes, each with one of its uses.

/// Nested in an object it is reached where it is:
///
/// ```
/// # #[cfg(feature = "daemon")] {
/// use pyroxene::{Daemon, RemoteAttributes};
///
/// #[derive(Default, RemoteAttributes)]
/// struct Address {
///     #[remote(attr)]
///     street: String,
/// }
///
/// #[derive(Default)]
/// struct Account {
///     address: Address,
/// }
///
/// #[pyroxene::remote]
/// impl Account {
///     #[remote(nested)]
///     pub fn address(&mut self) -> &mut Address {
///         &mut self.address
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let daemon = Daemon::bind("127.0.0.1:0").await?;
/// let account = daemon.supervise("bank.alice", Account::default).await?;
/// account.set("address.street", "Elm St 2").await?;
/// assert_eq!(account.get::<String>("address.street").await?, "Elm St 2");
/// # Ok(()) }
/// # actix_rt::System::new().block_on(example()).unwrap();
/// # }
/// ```
pub use pyroxene_macros::RemoteAttributes;

/// With actix's own derive next to it, one struct is the message of the handler and of its callers elsewhere:
///
/// ```
/// # #[cfg(feature = "daemon")] {
/// use actix::Message;
/// use pyroxene::RemoteMessage;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
/// #[error("{short} short")]
/// struct Overdrawn {
///     short: u64,
/// }
///
/// #[derive(Serialize, Deserialize, Message, RemoteMessage)]
/// #[rtype(result = "Result<u64, Overdrawn>")]
/// struct Withdraw {
///     amount: u64,
/// }
///
/// assert_eq!(Withdraw::METHOD, "withdraw");
/// # }
/// ```
pub use pyroxene_macros::RemoteMessage;

/// What it makes can be hosted by a [`Daemon`](crate::Daemon) and called through a [`Proxy`](crate::Proxy):
///
/// ```
/// # #[cfg(feature = "daemon")] {
/// use actix::{Actor, Context, Handler, Message};
/// use pyroxene::{Daemon, RemoteMessage, RemoteObject};
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
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let daemon = Daemon::bind("127.0.0.1:0").await?;
/// let account = daemon.supervise("bank.alice", || Account { balance: 100 }).await?;
/// assert_eq!(account.send(Balance).await?, 100);
/// # Ok(()) }
/// # actix_rt::System::new().block_on(example()).unwrap();
/// # }
/// ```
pub use pyroxene_macros::RemoteObject;

/// A whole server; its objects are called through the proxy that [`macro@remote`] makes:
///
/// ```no_run
/// # #[cfg(feature = "daemon")] {
/// struct Greeter;
///
/// #[pyroxene::remote]
/// impl Greeter {
///     pub fn hello(&self, name: String) -> String {
///         format!("hello, {name}")
///     }
/// }
///
/// #[pyroxene::main]
/// async fn main() -> Result<(), pyroxene::ServeError> {
///     pyroxene::serve("greeter", || Greeter).await
/// }
/// # }
/// ```
pub use pyroxene_macros::main;

/// On a trait, it makes what clients and servers share; on an implementation of that trait, the object:
///
/// ```
/// # #[cfg(feature = "daemon")] {
/// use pyroxene::Daemon;
///
/// #[pyroxene::remote]
/// trait Bank {
///     /// Puts money in.
///     fn deposit(&mut self, amount: u64) -> u64;
/// }
///
/// #[derive(Default)]
/// struct Account {
///     balance: u64,
/// }
///
/// #[pyroxene::remote]
/// impl Bank for Account {
///     fn deposit(&mut self, amount: u64) -> u64 {
///         self.balance += amount;
///         self.balance
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let daemon = Daemon::bind("127.0.0.1:0").await?;
/// let bank = BankProxy::from(daemon.supervise("bank.alice", Account::default).await?);
/// assert_eq!(bank.deposit(30).await?, 30);
/// # Ok(()) }
/// # actix_rt::System::new().block_on(example()).unwrap();
/// # }
/// ```
pub use pyroxene_macros::remote;
