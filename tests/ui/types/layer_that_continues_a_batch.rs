use throughline::{Traced, tower::ConsumerLayer};

struct Sales {
    orders: Vec<Traced<u32>>,
}

fn main() {
    let _ = ConsumerLayer::new("add_up").continue_().from(|sales: &Sales| &sales.orders);
}
