//! What is known of the oneways of a proxy: plain pages, one for each place where they were sent and each time they were asked for.

use std::sync::Arc;

use crate::client::binding::Binding;
use crate::object::oneways::LocalAccount;
use crate::peer::connection::Connection;

/// Pages that are kept for those who never ask.
const MAX_PAGES: usize = 16;

/// What has become of the oneways of a proxy and its clones; all of them together are as many as were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oneways {
    /// The handler returned a value.
    pub executed: u64,
    /// It returned an error, or panicked.
    pub failed: u64,
    /// They surely did not run: the queue was full, or the object not there.
    pub dropped: u64,
    /// They may have run: they were on a connection that is lost, or the other end does not count them.
    pub unknown: u64,
}

/// What was sent, and what is known of it.
#[derive(Default)]
pub(crate) struct Ledger {
    pages: Vec<Page>,
    pub(crate) known: Oneways,
}

/// Oneways that were sent to the same place, and have not been asked for.
pub(crate) struct Page {
    pub(crate) to: To,
    pub(crate) sent: u64,
    /// They are asked for: further ones go on another page.
    closed: bool,
}

/// Where oneways are counted.
#[derive(Clone)]
pub(crate) enum To {
    /// In this process.
    Here(Arc<LocalAccount>),
    /// At the other end of a connection, in the account with this number. Whoever asks needs the object to be open.
    There { binding: Arc<Binding>, number: u16 },
}

impl Ledger {
    /// A oneway is to be sent over this connection; the number of its account.
    pub(crate) fn send_there(&mut self, binding: &Arc<Binding>, connection: &Connection) -> u16 {
        if let Some(Page { to: To::There { binding: known, number }, sent, closed: false }) = self.pages.last_mut()
            && Arc::ptr_eq(known, binding)
        {
            *sent += 1;
            return *number;
        }
        let number = connection.account();
        self.begin(To::There { binding: Arc::clone(binding), number });
        number
    }

    /// A oneway is to be handed over in this process.
    pub(crate) fn send_here(&mut self) -> Arc<LocalAccount> {
        if let Some(Page { to: To::Here(account), sent, closed: false }) = self.pages.last_mut() {
            *sent += 1;
            return Arc::clone(account);
        }
        let account = Arc::<LocalAccount>::default();
        self.begin(To::Here(Arc::clone(&account)));
        account
    }

    /// One that was to be sent in this account was not. Accounts of different connections may have the same number.
    pub(crate) fn unsend(&mut self, binding: &Arc<Binding>, account: u16) {
        let of_account = |page: &&mut Page| match &page.to {
            To::There { binding: known, number } => Arc::ptr_eq(known, binding) && *number == account,
            To::Here(_) => false,
        };
        if let Some(page) = self.pages.iter_mut().rev().find(of_account) {
            page.sent = page.sent.saturating_sub(1);
        }
    }

    /// Begins a page. Of a proxy that is never asked only the latest are kept.
    fn begin(&mut self, to: To) {
        if self.pages.len() >= MAX_PAGES
            && let Some(oldest) = self.pages.iter().position(|page| !page.closed)
        {
            self.known.unknown += self.pages.remove(oldest).sent;
        }
        self.pages.push(Page { to, sent: 1, closed: false });
    }

    /// The page that is to be asked for next.
    pub(crate) fn next(&mut self) -> Option<To> {
        let page = self.pages.first_mut()?;
        page.closed = true;
        Some(page.to.clone())
    }

    /// What became of those on the page that was asked for; of `None` nothing is known.
    pub(crate) fn settle(&mut self, counted: Option<(u64, u64)>) {
        if self.pages.is_empty() {
            return;
        }
        let sent = self.pages.remove(0).sent;
        match counted {
            Some((executed, failed)) => {
                self.known.executed += executed;
                self.known.failed += failed;
                self.known.dropped += sent.saturating_sub(executed + failed);
            }
            None => self.known.unknown += sent,
        }
    }
}
