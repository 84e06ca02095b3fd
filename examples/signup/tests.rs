//! The service as its visitors and its operators see it: requests over HTTP, and their spans.

use std::net::SocketAddr;

use reqwest::StatusCode;
use rusqlite::Connection;
use serde_json::json;
use throughline::testing::Traces;
use tracing::subscriber::DefaultGuard;

use crate::folder::Folder;
use crate::mail::Mailbox;
use crate::service::Service;
use crate::telemetry::Telemetry;
use crate::visitor::Visitor;

const EMAIL: &str = "ada@example.org";

#[tokio::test]
async fn a_sign_up_is_one_story_with_a_trace_for_each_request_and_each_mail() {
    let site = Site::open();
    site.while_up(async |service| site.visitor.sign_up(service).await.map(drop)).await;
    let token = site.token();
    site.while_up(async |service| site.visitor.confirm(service, &token).await.map(drop)).await;
    site.while_up(async |service| {
        site.visitor.give_profile(service, &token, "Ada Lovelace").await.map(drop)
    })
    .await;

    site.traces().assert_tree(
        "
        trace A
          sign-up                            internal   links to D/POST /signups (ambient)
            complete profile                 internal   links to C/POST /profile (ambient)
            confirm e-mail                   internal   links to B/GET /confirm (ambient)
            send mail                        internal   links to E/process mails (ambient)
            send mail                        internal   links to F/process mails (ambient)
        trace B
          GET /confirm                       server     links to A/sign-up
        trace C
          POST /profile                      server     links to A/sign-up
        trace D
          POST /signups                      server     links to A/sign-up
        trace E
          process mails                      consumer   links to A/sign-up
        trace F
          process mails                      consumer   links to A/sign-up
        ",
    );
    site.traces().span("sign-up").has_attribute("signup.id", 1);
}

#[tokio::test]
async fn an_address_that_has_signed_up_gets_the_same_answer_and_no_second_process() {
    let site = Site::open();
    site.while_up(async |service| {
        let first = site.visitor.sign_up(service).await?;
        let second = site.visitor.sign_up(service).await?;
        assert_eq!(first, (StatusCode::ACCEPTED, json!({ "mail sent to": EMAIL })));
        assert_eq!(second, first);
        Ok(())
    })
    .await;

    let traces = site.traces();
    assert_eq!(traces.spans("POST /signups").len(), 2);
    assert_eq!(traces.spans("sign-up").len(), 1);
    assert_eq!(traces.spans("process mails").len(), 1);
}

#[tokio::test]
async fn each_step_is_taken_once_and_in_its_turn() {
    let site = Site::open();
    site.while_up(async |service| site.visitor.sign_up(service).await.map(drop)).await;
    let token = site.token();
    site.while_up(async |service| {
        let profile = async || {
            let (status, _) = site.visitor.give_profile(service, &token, "Ada").await?;
            Ok::<_, reqwest::Error>(status)
        };
        assert_eq!(profile().await?, StatusCode::CONFLICT, "not confirmed yet");
        for _ in 0..2 {
            assert_eq!(site.visitor.confirm(service, &token).await?.0, StatusCode::OK);
        }
        assert_eq!(profile().await?, StatusCode::OK);
        assert_eq!(profile().await?, StatusCode::CONFLICT, "complete");
        Ok(())
    })
    .await;

    let traces = site.traces();
    for step in ["confirm e-mail", "complete profile"] {
        traces.span(step).is_child_of("sign-up");
    }
    // Refused requests are requests of the process as well.
    for request in ["GET /confirm", "POST /profile"] {
        for span in traces.spans(request) {
            span.is_root().links_to("sign-up").has_links(1);
        }
    }
}

#[tokio::test]
async fn a_request_that_belongs_to_no_sign_up_links_to_none() {
    let site = Site::open();
    site.while_up(async |service| {
        let (status, answer) = site.visitor.confirm(service, "guessed").await?;
        assert_eq!(
            (status, answer["error"].as_str()),
            (StatusCode::NOT_FOUND, Some("nobody has this token"))
        );
        Ok(())
    })
    .await;

    let traces = site.traces();
    assert_eq!(traces.len(), 1, "{traces}");
    traces.span("GET /confirm").is_root().has_no_links();
}

#[tokio::test]
async fn a_row_whose_context_can_not_be_read_costs_the_visitor_nothing() {
    let site = Site::open();
    site.while_up(async |service| site.visitor.sign_up(service).await.map(drop)).await;
    let token = site.token();
    let database = Connection::open(site.folder.file("signups.db")).unwrap();
    for broken in ["", "00-no-json", "{}", r#"{"traceparent":"00"}"#] {
        database.execute("UPDATE signups SET origin = ?1", [broken]).unwrap();
        site.while_up(async |service| {
            assert_eq!(site.visitor.confirm(service, &token).await?.0, StatusCode::OK);
            Ok(())
        })
        .await;
    }

    let traces = site.traces();
    for request in traces.spans("GET /confirm") {
        request.is_root().has_no_links();
    }
    assert!(traces.spans("confirm e-mail").is_empty(), "there is no trace to add it to");
}

/// A service of the test's own, and a visitor.
struct Site {
    folder: Folder,
    mailbox: Mailbox,
    visitor: Visitor,
    telemetry: Telemetry,
    // For this thread alone, on which the test's whole service runs: it sees only its own spans.
    _subscriber: DefaultGuard,
}

impl Site {
    fn open() -> Self {
        let telemetry = Telemetry::in_memory("signup");
        Self {
            folder: Folder::new().unwrap(),
            mailbox: Mailbox::default(),
            visitor: Visitor::new(EMAIL).unwrap(),
            _subscriber: tracing::subscriber::set_default(telemetry.subscriber()),
            telemetry,
        }
    }

    /// Starts the service, and stops it after the visit.
    async fn while_up(&self, visit: impl AsyncFnOnce(SocketAddr) -> reqwest::Result<()>) {
        let database = self.folder.file("signups.db");
        let service = Service::start(&database, self.mailbox.clone()).await.unwrap();
        visit(service.address()).await.unwrap();
        service.stop().await.unwrap();
    }

    fn token(&self) -> String {
        self.mailbox.token_for(EMAIL).expect("a mail has come")
    }

    fn traces(&self) -> Traces {
        self.telemetry.traces()
    }
}
