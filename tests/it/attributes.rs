//! Attributes, of objects in every style, in this process and over a connection.
#![allow(clippy::unwrap_used)]

mod access;
mod introspection;
mod paths;
mod watching;

use std::collections::BTreeMap;

use actix::{Actor, Context, Handler, Message};
use pyroxene::{Proxy, RemoteAttributes, RemoteMessage, RemoteObject};
use serde::{Deserialize, Serialize};

use crate::macros::both;

/// Takes money in.
#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Deposit {
    amount: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{street:?} is no street")]
struct NoStreet {
    street: String,
}

#[derive(Default, RemoteAttributes)]
struct Geo {
    #[remote(attr)]
    lat: f64,
    #[remote(attr, name = "long")]
    lon: f64,
}

#[pyroxene::remote(nested)]
impl Geo {
    pub fn swap(&mut self) {
        std::mem::swap(&mut self.lat, &mut self.lon);
    }
}

#[derive(Default, RemoteAttributes)]
struct Address {
    /// Where the letters go.
    #[remote(attr)]
    street: String,
    #[remote(attr(read))]
    moves: u64,
    #[remote(nested)]
    geo: Geo,
    #[allow(dead_code)]
    key: String,
}

#[pyroxene::remote(nested)]
impl Address {
    /// Moves.
    pub fn move_to(&mut self, street: String) -> Result<u64, NoStreet> {
        if street.is_empty() {
            return Err(NoStreet { street });
        }
        self.street = street;
        self.moves += 1;
        Ok(self.moves)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Entry {
    amount: i64,
    remark: Option<String>,
}

/// An actor whose fields are attributes.
#[derive(Default, RemoteObject)]
#[remote(methods(Deposit))]
struct Account {
    /// Who has it.
    #[remote(attr)]
    owner: String,
    #[remote(attr(read))]
    balance: u64,
    #[remote(attr)]
    history: Vec<Entry>,
    #[remote(attr)]
    rates: BTreeMap<String, f64>,
    #[remote(nested)]
    address: Address,
    #[allow(dead_code)]
    pin: u32,
}

impl Actor for Account {
    type Context = Context<Self>;
}

impl Handler<Deposit> for Account {
    type Result = u64;
    fn handle(&mut self, message: Deposit, _: &mut Context<Self>) -> u64 {
        assert!(message.amount != 13, "an unlucky amount");
        self.balance += message.amount;
        self.history.push(Entry { amount: message.amount as i64, remark: None });
        self.balance
    }
}

fn account() -> Account {
    Account {
        owner: "alice".into(),
        rates: [("eur".to_owned(), 1.1)].into(),
        address: Address { street: "Elm St 1".into(), ..Address::default() },
        ..Account::default()
    }
}

/// A plain struct whose methods are attributes.
#[derive(Default)]
struct Savings {
    owner: String,
    limit: u32,
    address: Address,
}

#[pyroxene::remote]
impl Savings {
    /// Who has it.
    #[remote(attr)]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    pub fn set_owner(&mut self, owner: String) -> Result<(), NoStreet> {
        if owner.is_empty() {
            return Err(NoStreet { street: owner });
        }
        self.owner = owner;
        Ok(())
    }

    #[remote(attr)]
    pub fn limit(&self) -> u32 {
        self.limit
    }

    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    #[remote(attr)]
    pub fn length(&self) -> usize {
        self.owner.len()
    }

    #[remote(nested)]
    pub fn address(&mut self) -> &mut Address {
        &mut self.address
    }

    pub async fn raise(&mut self, by: u32) -> u32 {
        tokio::task::yield_now().await;
        self.limit += by;
        self.limit
    }
}

/// A plain struct whose fields are attributes.
#[derive(RemoteAttributes)]
struct Counter {
    #[remote(attr)]
    count: u64,
}

#[pyroxene::remote(attributes)]
impl Counter {
    pub fn add(&mut self, n: u64) {
        self.count += n;
    }
}

async fn accounts() -> (pyroxene::Daemon, [Proxy<Account>; 2]) {
    both(account).await
}
