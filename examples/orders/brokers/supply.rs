//! What the brokers have in common: a task for each group that hands out what comes, and connects
//! again when the connection is lost.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use throughline::Message;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::received::Received;
use crate::topic::{Ack, Delivery, Subscription, Unavailable};

/// Keeps the subscriptions of one topic supplied until it is closed.
pub struct Supply {
    closed: watch::Sender<bool>,
}

/// Where a broker puts what comes for one group.
#[derive(Clone)]
pub struct Inbox {
    group: &'static str,
    deliveries: mpsc::Sender<Delivery>,
    ready: Arc<Notify>,
    closed: watch::Receiver<bool>,
}

impl Supply {
    pub fn new() -> Self {
        Self { closed: watch::Sender::new(false) }
    }

    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// A subscription that `supply` fills, as soon as it is [`Inbox::ready`]. When it ends it is called
    /// again, for as long as somebody has the subscription.
    pub async fn subscribe<F, E>(
        &self,
        group: &'static str,
        most: usize,
        supply: impl Fn(Inbox) -> F + Send + 'static,
    ) -> Result<Subscription, Unavailable>
    where
        F: Future<Output = Result<(), E>> + Send,
        E: Display + Send,
    {
        let (deliveries, receiver) = mpsc::channel(most);
        let (ready, mut closed) = (Arc::new(Notify::new()), self.closed.subscribe());
        let subscription = Subscription::new(receiver, closed.clone());
        let inbox = Inbox { group, deliveries, ready: Arc::clone(&ready), closed: closed.clone() };
        tokio::spawn(async move {
            tokio::select! {
                () = again_and_again(&inbox, supply) => {}
                // Until then the connection has to stay: acknowledgements go over it.
                () = inbox.deliveries.closed() => {}
            }
        });
        tokio::select! {
            () = ready.notified() => Ok(subscription),
            _ = closed.wait_for(|closed| *closed) => Err(Unavailable::Closed),
        }
    }
}

/// How long to wait before the first attempt to connect again. Each pause is twice the one before.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

async fn again_and_again<F, E>(inbox: &Inbox, supply: impl Fn(Inbox) -> F)
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut pause = SHORTEST;
    loop {
        let began = Instant::now();
        let ended = supply(inbox.clone()).await;
        // What has held for a while was a good connection.
        if began.elapsed() > LONGEST {
            pause = SHORTEST;
        }
        let why = ended.err().map_or_else(|| "it has ended".to_owned(), |error| error.to_string());
        warn!(
            group = inbox.group,
            ?pause,
            "the broker gives no orders, tried again after a pause: {why}"
        );
        sleep(pause).await;
        pause = LONGEST.min(pause * 2);
    }
}

impl Inbox {
    /// The group is known to the broker: what is published from now on is kept for it.
    pub fn ready(&self) {
        info!(group = self.group, "the broker gives orders");
        self.ready.notify_one();
    }

    /// Waits until there is room, and says for how many. Once the topic is closed there is none.
    pub async fn room(&mut self) -> usize {
        if !*self.closed.borrow() && self.deliveries.reserve().await.is_ok() {
            return self.deliveries.capacity();
        }
        std::future::pending().await
    }

    /// Hands out an order, and waits until there is room for it. `acknowledge` tells the broker that it
    /// need not come again.
    pub async fn deliver<E: Display>(
        &self,
        payload: &[u8],
        message: impl Message + Send + Sync + 'static,
        acknowledge: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let ack = Ack::new(acknowledge);
        match serde_json::from_slice(payload) {
            Ok(order) => {
                let order = Received::new(order, message);
                // If the group is gone, the broker still has the order.
                let _ = self.deliveries.send(Delivery { order, ack }).await;
            }
            Err(error) => {
                // It would come again for ever.
                error!(group = self.group, %error, "dropped a message that is no order");
                tokio::spawn(ack.acknowledge());
            }
        }
    }
}
