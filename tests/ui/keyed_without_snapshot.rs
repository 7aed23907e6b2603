#[derive(Default)]
struct Account;

#[pyroxene::remote]
impl Account {
    pub fn ping(&self) {}
}

fn host(daemon: pyroxene::Daemon) {
    let _ = daemon.keyed("accounts", |_: &str, _: Option<()>| Account);
}

fn main() {}
