//! The customers of a plain run: they place orders over HTTP, as curl would.

use std::net::SocketAddr;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// Places three orders, one with a card that is declined, and one that is no good; says how each
/// was answered.
pub async fn visit(service: SocketAddr) -> reqwest::Result<()> {
    let client = client()?;
    let orders = [
        json!({
            "id": "A-1", "customer": "Ada", "card": "4000000000000001",
            "items": [{ "sku": "tea", "quantity": 2 }, { "sku": "cup", "quantity": 1 }],
        }),
        json!({
            "id": "A-2", "customer": "Bob", "card": "4000000000000002",
            "items": [{ "sku": "tea", "quantity": 1 }],
        }),
        json!({
            "id": "A-3", "customer": "Cleo", "card": "4000000000000003",
            "items": [{ "sku": "pot", "quantity": 1 }],
        }),
        json!({ "id": "A-4", "customer": "Dan", "card": "4000000000000004", "items": [] }),
    ];
    for order in &orders {
        let (status, answer) = place(&client, service, order.to_string()).await?;
        println!("POST /orders  {}  {status}  {answer}", order["id"]);
    }
    Ok(())
}

/// Whatever proxy the environment names, it is not for talking to ourselves.
pub fn client() -> reqwest::Result<Client> {
    Client::builder().no_proxy().build()
}

pub async fn place(
    client: &Client,
    service: SocketAddr,
    order: String,
) -> reqwest::Result<(StatusCode, Value)> {
    let answer = client
        .post(format!("http://{service}/orders"))
        .header("content-type", "application/json")
        .body(order)
        .send()
        .await?;
    let status = answer.status();
    Ok((status, answer.json().await?))
}
