//! The oneways of one object on one connection, by the number of their account: a plain table.

use std::collections::BTreeMap;

use crate::object::oneways::{Account, OnewayEnd};

/// Accounts of one object that are known on one connection.
const MAX_ACCOUNTS: usize = 256;

/// Accounts, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    open: BTreeMap<u16, Open>,
    /// There were more than may be open.
    overflown: bool,
}

#[derive(Debug, Default)]
struct Open {
    account: Account,
    /// The calls that are to be answered once all has ended.
    flushes: Vec<u16>,
    /// Somebody was answered. Who has not got the answer asks again.
    told: bool,
}

/// An account is settled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The calls that asked for it.
    pub(crate) flushes: Vec<u16>,
    pub(crate) account: Account,
}

/// Too many accounts were opened, so that not all is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflown;

impl Accounts {
    /// A oneway of this account has come.
    pub(crate) fn came(&mut self, number: u16) {
        if let Some(open) = self.open.get_mut(&number) {
            return open.account.came();
        }
        if self.open.len() >= MAX_ACCOUNTS {
            // Numbers grow, so this is the oldest.
            let told =
                self.open.iter().find(|(_, open)| open.told && open.account.is_settled()).map(|(number, _)| *number);
            let Some(told) = told else {
                self.overflown = true;
                return;
            };
            self.open.remove(&told);
        }
        self.open.entry(number).or_default().account.came();
    }

    /// A oneway of this account has ended.
    pub(crate) fn ended(&mut self, number: u16, end: OnewayEnd) -> Option<Settled> {
        let open = self.open.get_mut(&number)?;
        open.account.ended(end);
        self.settle(number)
    }

    /// The call `seq` asks what has become of the oneways of this account; there will be no more.
    ///
    /// # Errors
    /// Some were not counted.
    pub(crate) fn flush(&mut self, number: u16, seq: u16) -> Result<Option<Settled>, Overflown> {
        match self.open.get_mut(&number) {
            Some(open) => {
                open.flushes.push(seq);
                Ok(self.settle(number))
            }
            None if self.overflown => Err(Overflown),
            // None has come that was taken.
            None => Ok(Some(Settled { flushes: vec![seq], account: Account::default() })),
        }
    }

    fn settle(&mut self, number: u16) -> Option<Settled> {
        let open = self.open.get_mut(&number).filter(|open| open.account.is_settled() && !open.flushes.is_empty())?;
        open.told = true;
        Some(Settled { flushes: std::mem::take(&mut open.flushes), account: open.account })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_settled_when_all_that_came_have_ended() {
        let mut accounts = Accounts::default();
        for _ in 0..3 {
            accounts.came(7);
        }
        accounts.came(8);
        assert_eq!(accounts.ended(7, OnewayEnd::Executed), None);
        assert_eq!(accounts.flush(7, 40), Ok(None));
        assert_eq!(accounts.ended(7, OnewayEnd::Dropped), None);
        assert_eq!(accounts.ended(8, OnewayEnd::Executed), None, "nobody asks yet");
        assert_eq!(accounts.flush(7, 41), Ok(None), "asked again");
        let Settled { flushes, account } = accounts.ended(7, OnewayEnd::Failed).unwrap();
        assert_eq!((flushes, account.executed, account.failed), (vec![40, 41], 1, 1));
        let Settled { flushes, account } = accounts.flush(8, 42).unwrap().unwrap();
        assert_eq!((flushes, account.executed, account.failed), (vec![42], 1, 0));
        let Settled { flushes, account } = accounts.flush(7, 43).unwrap().unwrap();
        assert_eq!((flushes, account.executed, account.failed), (vec![43], 1, 1), "the answer may have been lost");
    }

    #[test]
    fn of_what_was_not_counted_nothing_is_said() {
        let mut accounts = Accounts::default();
        assert_eq!(accounts.flush(9, 1), Ok(Some(Settled { flushes: vec![1], account: Account::default() })));
        for number in 0..=MAX_ACCOUNTS as u16 {
            accounts.came(number);
        }
        assert_eq!(accounts.flush(MAX_ACCOUNTS as u16, 1), Err(Overflown));
        assert_eq!(accounts.flush(0, 2), Ok(None), "of others it is known");
        accounts.ended(0, OnewayEnd::Executed).unwrap();
        accounts.came(MAX_ACCOUNTS as u16 + 1);
        assert_eq!(accounts.flush(MAX_ACCOUNTS as u16 + 1, 3), Ok(None), "one that was told makes room");
    }
}
