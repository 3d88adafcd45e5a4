//! Clients of every service, with the network's message limits.

use tonic::transport::Channel;

use crate::limits::MESSAGE_BYTES_MAX;
use crate::wire::content_client::ContentClient;
use crate::wire::directory_client::DirectoryClient;
use crate::wire::market_client::MarketClient;
use crate::wire::work_client::WorkClient;

/// A hub, for a buyer.
#[must_use]
pub fn market_client(channel: Channel) -> MarketClient<Channel> {
    MarketClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// A hub, for a miner.
#[must_use]
pub fn work_client(channel: Channel) -> WorkClient<Channel> {
    WorkClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// A peer that stores bytes. [`blob`](crate::blob) moves whole ones.
#[must_use]
pub fn content_client(channel: Channel) -> ContentClient<Channel> {
    ContentClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// Any peer. [`Net::find_hubs`](crate::Net::find_hubs) asks several and checks what they say.
#[must_use]
pub fn directory_client(channel: Channel) -> DirectoryClient<Channel> {
    DirectoryClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}
