//! Calling what one has no types for: methods by name, arguments and results as values; and asking what there is.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use pyroxene::{CallError, Daemon, DynProxy, NotStarted, Value, args};

#[derive(Default)]
struct Shop {
    stock: std::collections::BTreeMap<String, u32>,
}

#[pyroxene::remote]
impl Shop {
    /// Puts something on the shelf; says how many there are now.
    pub fn put(&mut self, what: String, count: Option<u32>) -> u32 {
        let stock = self.stock.entry(what).or_default();
        *stock += count.unwrap_or(1);
        *stock
    }

    /// All there is.
    pub fn stock(&self) -> Vec<(String, u32)> {
        self.stock.clone().into_iter().collect()
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let uri = daemon.supervise("shop", Shop::default).await?.uri().clone();

    // From here on nothing is known of `Shop`. By position, by name, what is optional left out:
    let shop = DynProxy::connect(&uri).await?;
    assert_eq!(shop.call("put", args!["tea", 3]).await?, Value::from(3));
    assert_eq!(shop.call("put", args! { what: "tea" }).await?, Value::from(4));
    let stock = shop.call("stock", args![]).await?;
    println!("in stock: {stock}");
    assert_eq!(stock.to_string(), r#"[["tea",4]]"#);

    // What does not fit is said before anything runs.
    for (method, args) in [("putt", args!["tea"]), ("put", args![7])] {
        let error = shop.call(method, args).await.expect_err("it does not fit");
        println!("{error}");
        assert!(matches!(
            error,
            CallError::NotStarted(NotStarted::NoSuchMethod { .. } | NotStarted::WrongArguments { .. })
        ));
    }

    // What can be called, it says itself; from then on mistakes are found before anything is sent.
    let description = shop.describe().await?;
    for method in &description.methods {
        println!("{}: {}", method.text, method.doc);
        println!("    {}", method.schemas().args);
    }
    assert_eq!(description.methods.len(), 2);
    daemon.shutdown().await;
    Ok(())
}
