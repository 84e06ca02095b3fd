//! Warnings at the user's own tokens. A stable compiler lets a macro give them in one way only: it uses something
//! deprecated there.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use crate::{
    args::{Common, Field, Name},
    conventions,
};

/// What the conventions have to say of the fields' names.
pub(crate) fn of(common: &Common) -> TokenStream {
    common.fields.iter().flat_map(|given| &given.value).filter_map(about).collect()
}

// Input:
//     fields(messaging.client_id = %id)
//
// Output:
//     {
//         mod messaging {
//             #[deprecated(note = "`messaging.client_id` is now `messaging.client.id`")]
//             macro_rules! client_id { () => {}; }
//             #[allow(deprecated)]
//             pub(super) use client_id;
//         }
//         messaging::client_id!();
//     }
//
// A macro, for the compiler calls it what it is called here, where all else gets the function's whole path. In a
// module, for the path to it is then shown as one: from the first word of the field's name to the last.
// The import is a use as well; one warning is enough.
fn about(field: &Field) -> Option<TokenStream> {
    let Name::Text { text, unquoted: Some((first, last)) } = &field.name else { return None };
    let name = text.value();
    let note = conventions::warning(&name)?;
    let (namespace, rest) = name.split_once('.')?;
    // Never a keyword: none is near an attribute.
    let rest = rest.replace('.', "_");
    let [module, item] = [namespace, &rest].map(|word| Ident::new(word, Span::mixed_site()));
    let [module_there, item_there] =
        [(namespace, first), (&rest, last)].map(|(word, span)| Ident::new(word, *span));
    Some(quote_spanned! {Span::mixed_site()=>
        {
            mod #module {
                #[deprecated(note = #note)]
                macro_rules! #item { () => {}; }
                #[allow(deprecated)]
                pub(super) use #item;
            }
            #module_there::#item_there!();
        }
    })
}
