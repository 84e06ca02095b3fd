//! Somebody who signs up: over HTTP, as a browser would.

use std::net::SocketAddr;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

pub struct Visitor {
    client: Client,
    email: &'static str,
}

pub type Answer = (StatusCode, Value);

impl Visitor {
    pub fn new(email: &'static str) -> reqwest::Result<Self> {
        // Whatever proxy the environment names, it is not for talking to ourselves.
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { client, email })
    }

    pub fn email(&self) -> &'static str {
        self.email
    }

    pub async fn sign_up(&self, service: SocketAddr) -> reqwest::Result<Answer> {
        let request = self.client.post(format!("http://{service}/signups"));
        send("POST /signups", request.json(&json!({ "email": self.email }))).await
    }

    pub async fn confirm(&self, service: SocketAddr, token: &str) -> reqwest::Result<Answer> {
        let request = self.client.get(format!("http://{service}/confirm?token={token}"));
        send("GET /confirm", request).await
    }

    pub async fn give_profile(
        &self,
        service: SocketAddr,
        token: &str,
        name: &str,
    ) -> reqwest::Result<Answer> {
        let request = self.client.post(format!("http://{service}/profile"));
        send("POST /profile", request.json(&json!({ "token": token, "name": name }))).await
    }
}

async fn send(name: &str, request: RequestBuilder) -> reqwest::Result<Answer> {
    let answer = request.send().await?;
    let status = answer.status();
    let answer = answer.json().await?;
    println!("{name:14} {status}  {answer}");
    Ok((status, answer))
}
