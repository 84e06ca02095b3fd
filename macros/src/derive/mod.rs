//! `#[derive(Message)]` and `#[derive(MessageMut)]`: parse (`marks`) -> check -> expand.

mod check;
mod conditions;
mod expand;
mod facts;
mod marks;

pub(crate) use expand::{message, message_mut};

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn there_is_no_impl_where_nobody_knows_the_runtime() {
        let expanded = |mark: &str| {
            let item = format!("{mark} struct Job(#[message(headers)] Headers);");
            message(syn::parse_str(&item).expect("a struct")).to_string()
        };
        assert!(expanded("#[message(systm = \"shop\")]").contains("impl"));
        assert!(!expanded("#[message(crate = \"company\")]").contains("impl"));
        assert!(expanded("#[message(systm = 3, crate = company)]").contains("impl"));
    }
}
