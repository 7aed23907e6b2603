//! The process of the client: calls that succeed, and calls that fail in each way there is.

use std::fmt::Debug;

use pyroxene::client::report::report;
use pyroxene::uri::Uri;
use pyroxene::{CallError, DynProxy, NotStarted, Unknown, args};

use crate::cli::app::App;
use crate::cli::demo::Where;
use crate::cli::demo::bank::{AUDIT_MS, AccountProxy, OPENING, Overdrawn};
use crate::cli::demo::story::{Ran, Step, Story};
use crate::cli::failure::Failure;

/// The name of the account.
const NAME: &str = "PYRONAME://bank.alice";
/// Seconds that the name is waited for.
const WAIT_SECS: u32 = 5;

/// Tells each call as it is made.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DemoClient {
    #[command(flatten)]
    at: Where,
}

impl DemoClient {
    pub(in crate::cli) async fn run(&self, app: &App) -> Result<(), Failure> {
        let app = self.at.app(app);
        let story = Story::new(&app.screen);
        let mut steps = Vec::new();
        let mut tell = |step: Step| {
            story.step(&step);
            steps.push(step);
        };

        let account = AccountProxy::connect(NAME).wait_secs(WAIT_SECS).await?;
        story.code(r#"let account = AccountProxy::connect("PYRONAME://bank.alice").wait_secs(5).await?;"#);
        let uri: Uri = app.uri(NAME)?;
        let found = app.find(&uri).await?.uri;
        story.came(&format!("who knows names? answered by UDP; where is bank.alice? {found}"));
        let any = DynProxy::connect_with(&app.client, uri).await?;

        tell(succeeds(&account).await?);
        tell(changes(&account).await?);
        tell(is_overdrawn(&account).await?);
        tell(has_no_such_method(&any).await?);
        tell(has_wrong_arguments(&any).await?);
        tell(is_unknown_name().await?);
        tell(runs_out_of_time(&account).await?);
        tell(is_oneway(&account).await?);
        tell(panics(&account).await?);
        tell(comes_back(&account).await?);
        story.summary(&steps);
        Ok(())
    }
}

async fn succeeds(account: &AccountProxy) -> Result<Step, Failure> {
    match account.balance().await {
        Ok(OPENING) => Ok(Step {
            what: "A call looks like one of a local struct.",
            code: "account.balance().await",
            outcome: format!("Ok({OPENING})"),
            ran: Ran::Yes,
            so: "The method ran in the bank's process.",
            report: None,
        }),
        other => Err(unexpected("balance", &other)),
    }
}

async fn changes(account: &AccountProxy) -> Result<Step, Failure> {
    match account.withdraw(30).await {
        Ok(left) if left == OPENING - 30 => Ok(Step {
            what: "It changes the object's state; calls of one proxy run in the order they were made.",
            code: "account.withdraw(30).await",
            outcome: format!("Ok({left})"),
            ran: Ran::Yes,
            so: "Nobody else calls the object meanwhile: it is an actor.",
            report: None,
        }),
        other => Err(unexpected("withdraw", &other)),
    }
}

async fn is_overdrawn(account: &AccountProxy) -> Result<Step, Failure> {
    match account.withdraw(1_000).await {
        Err(CallError::Raised(error @ Overdrawn { short: 930 })) => Ok(Step {
            what: "An error that the object raises arrives as itself, with its type and its fields.",
            code: "account.withdraw(1_000).await",
            outcome: format!("Err(Raised({error:?}))"),
            ran: Ran::Yes,
            so: "The object said no.",
            report: None,
        }),
        other => Err(unexpected("withdraw of too much", &other)),
    }
}

async fn has_no_such_method(any: &DynProxy) -> Result<Step, Failure> {
    match any.call("withdrw", args![30]).await {
        Err(CallError::NotStarted(why @ NotStarted::NoSuchMethod { nearest: Some(_), .. })) => Ok(Step {
            what: "A proxy can do without types. Then a method may be misspelled.",
            code: r#"any.call("withdrw", args![30]).await"#,
            outcome: format!("Err(NotStarted): {why}"),
            ran: Ran::No,
            so: "Nothing can be called unless it is listed.",
            report: None,
        }),
        other => Err(unexpected("withdrw", &other)),
    }
}

async fn has_wrong_arguments(any: &DynProxy) -> Result<Step, Failure> {
    match any.call("withdraw", args! { amount: "thirty" }).await {
        Err(CallError::NotStarted(why @ NotStarted::WrongArguments { .. })) => Ok(Step {
            what: "Or an argument may be of the wrong type.",
            code: r#"any.call("withdraw", args! { amount: "thirty" }).await"#,
            outcome: format!("Err(NotStarted): {why}"),
            ran: Ran::No,
            so: "Arguments are checked before the object hears of the call.",
            report: None,
        }),
        other => Err(unexpected("withdraw of thirty", &other)),
    }
}

async fn is_unknown_name() -> Result<Step, Failure> {
    match AccountProxy::connect("PYRONAME://bank.alcie").await {
        Err(error) if matches!(error.why, NotStarted::Unresolved { .. }) => Ok(Step {
            what: "A name may be misspelled as well.",
            code: r#"AccountProxy::connect("PYRONAME://bank.alcie").await"#,
            outcome: format!("Err({error})"),
            ran: Ran::No,
            so: "The name server knows what was probably meant.",
            report: None,
        }),
        other => Err(unexpected("connecting to bank.alcie", &other)),
    }
}

async fn runs_out_of_time(account: &AccountProxy) -> Result<Step, Failure> {
    const _: () = assert!(AUDIT_MS > 200);
    match account.audit().timeout_ms(200).await {
        Err(CallError::Unknown(why @ Unknown::OutOfTime { .. })) => Ok(Step {
            what: "Every call has a time; this one needs more than it is given.",
            code: "account.audit().timeout_ms(200).await",
            outcome: format!("Err(Unknown): {why}"),
            ran: Ran::Maybe,
            so: "Whether to try again is the caller's decision, so the caller is told.",
            report: None,
        }),
        other => Err(unexpected("audit", &other)),
    }
}

async fn is_oneway(account: &AccountProxy) -> Result<Step, Failure> {
    account.remark("a good bank".to_owned());
    match account.remarks().await {
        Ok(remarks) if remarks == ["a good bank"] => Ok(Step {
            what: "A oneway call is sent and not waited for.",
            code: r#"account.remark("a good bank".into()); account.remarks().await"#,
            outcome: format!("Ok({remarks:?})"),
            ran: Ran::Yes,
            so: "It keeps its place in the order all the same.",
            report: None,
        }),
        other => Err(unexpected("remarks", &other)),
    }
}

async fn panics(account: &AccountProxy) -> Result<Step, Failure> {
    match account.open_vault().await {
        Err(error @ CallError::Failed(_)) => Ok(Step {
            what: "A bug in the object: it panics.",
            code: "account.open_vault().await",
            outcome: "Err(Failed): pyroxene::report(&error) shows what happened at the other end:".to_owned(),
            ran: Ran::Yes,
            so: "It cost this one call; the bank's process goes on.",
            report: Some(report(&error)),
        }),
        other => Err(unexpected("open_vault", &other)),
    }
}

async fn comes_back(account: &AccountProxy) -> Result<Step, Failure> {
    match account.balance().await {
        Ok(OPENING) => Ok(Step {
            what: "The same proxy, a moment later: the object has been made anew by its factory.",
            code: "account.balance().await",
            outcome: format!("Ok({OPENING})"),
            ran: Ran::Yes,
            so: "Fresh state, not the half-changed one that the panic left; calls waited for it in order.",
            report: None,
        }),
        other => Err(unexpected("balance after the panic", &other)),
    }
}

fn unexpected(what: &str, outcome: &impl Debug) -> Failure {
    Failure::new(format!("{what} ended in {outcome:?}"))
}
