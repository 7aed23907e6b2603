//! An object, a daemon, a proxy: one call.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use pyroxene::Daemon;

struct Greeter {
    greeting: String,
}

// Its public methods can be called from other processes, and `GreeterProxy` has them.
#[pyroxene::remote]
impl Greeter {
    /// Greets somebody.
    pub fn greet(&self, name: String) -> String {
        format!("{}, {name}!", self.greeting)
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A daemon hosts objects. The factory makes one, and makes it anew should it ever panic.
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let greeter = daemon.supervise("greeter", || Greeter { greeting: "Hello".to_owned() }).await?;
    println!("the greeter is {}", greeter.uri());

    // Whoever has its URI, in whatever process, calls it as if it were local.
    let proxy = GreeterProxy::connect(greeter.uri()).await?;
    let greeted = proxy.greet("stranger".to_owned()).await?;
    println!("{greeted}");
    assert_eq!(greeted, "Hello, stranger!");

    daemon.shutdown().await;
    Ok(())
}
