//! An order, and what makes one good.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// What a customer sends, and what travels on the topic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    pub id: String,
    pub customer: String,
    pub items: Vec<Item>,
    pub card: Card,
}

/// One line of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Item {
    pub sku: String,
    /// An item that nobody wants any of can't even be parsed.
    pub quantity: NonZeroU32,
}

/// A card number.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Card(String);

/// Why an order is refused although it is well-formed JSON with all its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadOrder {
    Blank(&'static str),
    NoItems,
    BlankSku { index: usize },
}

impl Order {
    /// Says what is wrong with this order, if anything is.
    pub fn check(&self) -> Result<(), BadOrder> {
        let texts = [("id", &self.id), ("customer", &self.customer), ("card", &self.card.0)];
        for (field, text) in texts {
            if text.trim().is_empty() {
                return Err(BadOrder::Blank(field));
            }
        }
        if self.items.is_empty() {
            return Err(BadOrder::NoItems);
        }
        match self.items.iter().position(|item| item.sku.trim().is_empty()) {
            Some(index) => Err(BadOrder::BlankSku { index }),
            None => Ok(()),
        }
    }

    /// As it travels, where it leaves this process.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an order has text and numbers only")
    }
}

impl Card {
    /// The bank of this example declines numbers that end in 0002, as the test cards of real
    /// payment services do.
    pub fn is_declined(&self) -> bool {
        self.0.ends_with("0002")
    }
}

/// An order is easily logged, and a card number must not end up in a log or a span.
impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Card(..)")
    }
}

impl fmt::Display for BadOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadOrder::Blank(field) => write!(f, "`{field}` must not be empty"),
            BadOrder::NoItems => f.write_str("`items` must have at least one item"),
            BadOrder::BlankSku { index } => write!(f, "`items[{index}].sku` must not be empty"),
        }
    }
}

impl std::error::Error for BadOrder {}
