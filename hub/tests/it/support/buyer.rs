//! A buyer: quote, upload, sign, open, follow, confirm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gio_content::{Assemble, ContentRef, JobSpec, Plan, Split, UnitBounds};
use gio_evm::{Chain, Permit};
use gio_keys::MachineKey;
use gio_net::wire::field::{self, bytes, signature_bytes};
use gio_net::wire::market_client::MarketClient;
use gio_net::wire::{
    ConfirmReply, ConfirmRequest, DealProgress, DealRef, FollowRequest, OutputsRequest, QuoteReply,
    QuoteRequest, ResultReply, SignDealReply, SignDealRequest, SmallOutput,
};
use gio_net::{blob, market_client};
use gio_protocol::{
    Address, B256, Cu, DealId, DealTerms, Domain, Gio, JobTree, MachineParams, PricePerPu,
    UnitLeaf, UnixSeconds, VerificationMode, confirmation_digest, keccak256, seed_commitment,
};
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::{CHAIN_ID, Market, Node, TestHub, gio, soon};

/// Runs nowhere: these tests' miners only claim.
pub(crate) fn module() -> Vec<u8> {
    wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start")))"#).unwrap()
}

/// A job of so many units of at most 1 PU.
pub(crate) fn job(units: u32) -> JobSpec {
    JobSpec {
        version: 1,
        name: "a job".to_owned(),
        module: ContentRef::of(&module()),
        args: vec!["app".to_owned(), "{unit}".to_owned()],
        env: BTreeMap::new(),
        stdin: None,
        inputs: BTreeMap::new(),
        shared: BTreeSet::new(),
        split: Split::Range {
            start: 0,
            end: u64::from(units),
            units,
        },
        assemble: Assemble::Concat,
        bounds: UnitBounds {
            cu_limit: Cu(1_000_000_000),
            pages_max: 16,
            output_max: 1 << 20,
        },
    }
}

pub(crate) struct Buyer {
    pub(crate) key: MachineKey,
    pub(crate) chain: Chain,
    pub(crate) market: MarketClient<Channel>,
    pub(crate) channel: Channel,
    pub(crate) inputs: BTreeMap<String, Vec<u8>>,
    wallet: Address,
    _node: Node,
}

/// A deal both sides signed.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) id: DealId,
    pub(crate) terms: DealTerms,
    pub(crate) hub_signature: Vec<u8>,
}

impl Buyer {
    /// The buyer with 100 GIO.
    pub(crate) async fn start(market: &Market, hub: &TestHub) -> Self {
        Self::numbered(market, hub, 2).await
    }

    /// The nth account of anvil with 100 GIO.
    pub(crate) async fn numbered(market: &Market, hub: &TestHub, n: usize) -> Self {
        let (key, chain) = market.account(n).await;
        market.give(key.address(), gio("100")).await;
        let node = Node::start(&key).await;
        let channel = node.channel(hub).await;
        Self {
            key,
            chain,
            market: market_client(channel.clone()),
            channel,
            inputs: BTreeMap::new(),
            wallet: market.wallet,
            _node: node,
        }
    }

    /// The same buyer at a hub that was started again.
    pub(crate) async fn reconnect(&mut self, hub: &TestHub) {
        let node = Node::start(&self.key).await;
        self.channel = node.channel(hub).await;
        self.market = market_client(self.channel.clone());
        self._node = node;
    }

    /// The later of block time and the clock, as buyers do.
    pub(crate) async fn now(&self) -> UnixSeconds {
        let block = self.chain.head().await.unwrap().time;
        block.max(UnixSeconds(gio_agent::unix_now()))
    }

    pub(crate) async fn request(&self, spec: &JobSpec, nonce: B256) -> QuoteRequest {
        QuoteRequest {
            buyer: bytes(self.key.address()),
            seed_commitment: bytes(seed_commitment(nonce)),
            job_spec: spec.to_json().into(),
            kinds: vec!["wasm".to_owned()],
            deliver_by: self.now().await.after(600).0,
            ..QuoteRequest::default()
        }
    }

    pub(crate) async fn quote(
        &mut self,
        spec: &JobSpec,
        nonce: B256,
    ) -> Result<QuoteReply, Status> {
        let request = self.request(spec, nonce).await;
        let reply = soon("a quote", self.market.quote(request)).await;
        Ok(reply?.into_inner())
    }

    /// Brings what the hub does not have.
    pub(crate) async fn upload(&self, quote: &QuoteReply) {
        let module = module();
        let contents = self.inputs.values().chain([&module]);
        for content in contents {
            let root = ContentRef::of(content).root;
            let is_missing = quote
                .missing_content
                .iter()
                .any(|missing| missing.root == bytes(root));
            if is_missing {
                let data = content.clone().into();
                blob::upload(self.channel.clone(), root, data)
                    .await
                    .unwrap();
            }
        }
    }

    /// Terms as this quote asks for; half of ten minutes to open.
    pub(crate) async fn terms(&self, spec: &JobSpec, quote: &QuoteReply, nonce: B256) -> DealTerms {
        let now = self.now().await;
        let plan = Plan::new(Arc::new(spec.clone()), Arc::new(self.inputs.clone())).unwrap();
        let price = PricePerPu(Gio::from_units(quote.price_per_pu));
        let total = Cu(spec.bounds.cu_limit.0 * u64::from(plan.unit_count()));
        let mut terms = DealTerms {
            buyer: self.key.address(),
            wallet: self.wallet,
            buyer_nonce: nonce,
            hub_nonce: field::hash("hub_nonce", &quote.hub_nonce).unwrap(),
            seed_commitment: seed_commitment(nonce),
            job_root: B256::ZERO,
            unit_count: plan.unit_count(),
            mode: VerificationMode::None,
            mode_params: B256::ZERO,
            machine_version: 0,
            machine_params: MachineParams::version_0(spec.bounds.pages_max).hash(),
            price_per_pu: price,
            cap: price.cost(total).unwrap(),
            guarantee: Gio::from_units(quote.guarantee),
            royalty_to: Address::ZERO,
            royalty_per_mille: 0,
            court: Address::ZERO,
            clock_start: now,
            open_by: now.after(300),
            deliver_by: now.after(600),
            window: quote.window_seconds,
        };
        let leaves = plan.leaves(keccak256(module()), terms.deal_seed()).unwrap();
        let hashes: Vec<B256> = leaves.iter().map(UnitLeaf::hash).collect();
        terms.job_root = JobTree::new(&hashes).root();
        terms
    }

    pub(crate) fn signed_request(&self, spec: &JobSpec, terms: &DealTerms) -> SignDealRequest {
        let signature = self.key.sign(terms.deal_id(CHAIN_ID).0);
        SignDealRequest {
            terms: terms.to_bytes().into(),
            buyer_signature: signature_bytes(&signature),
            job_spec: spec.to_json().into(),
        }
    }

    pub(crate) async fn send(&mut self, request: SignDealRequest) -> Result<SignDealReply, Status> {
        Ok(soon("a signature", self.market.sign_deal(request))
            .await?
            .into_inner())
    }

    /// From quote to signature, with terms the test may change.
    pub(crate) async fn sign_with(
        &mut self,
        spec: &JobSpec,
        nonce: u8,
        change: impl FnOnce(&mut DealTerms),
    ) -> Result<Signed, Status> {
        let nonce = B256::repeat_byte(nonce);
        let quote = self.quote(spec, nonce).await?;
        self.upload(&quote).await;
        let mut terms = self.terms(spec, &quote, nonce).await;
        change(&mut terms);
        let request = self.signed_request(spec, &terms);
        let reply = self.send(request).await?;
        Ok(Signed {
            id: DealId(field::hash("deal_id", &reply.deal_id).unwrap()),
            terms,
            hub_signature: reply.hub_signature.to_vec(),
        })
    }

    pub(crate) async fn sign(&mut self, spec: &JobSpec, nonce: u8) -> Signed {
        self.sign_with(spec, nonce, |_| {}).await.unwrap()
    }

    /// Locks the cap, with a permit.
    pub(crate) async fn open(&mut self, deal: &Signed) {
        let (owner, deadline) = (self.key.address(), UnixSeconds(u64::MAX));
        let value = deal.terms.cap;
        let digest = self
            .chain
            .permit_digest(owner, self.wallet, value, deadline);
        let permit = Permit {
            value,
            deadline,
            signature: self.key.sign(digest.await.unwrap()),
        };
        let own = self.key.sign(deal.id.0);
        let opened = self.chain.open(
            &deal.terms,
            own.as_bytes(),
            &deal.hub_signature,
            Some(permit),
        );
        opened.await.unwrap();
        self.market.opened(DealRef::default()).await.unwrap();
    }

    /// Signs and opens.
    pub(crate) async fn submit(&mut self, spec: &JobSpec, nonce: u8) -> Signed {
        let deal = self.sign(spec, nonce).await;
        self.open(&deal).await;
        deal
    }

    pub(crate) async fn follow(&mut self, deal: DealId, after: u64) -> Streaming<DealProgress> {
        let request = FollowRequest {
            deal_id: bytes(deal.0),
            after_event: after,
        };
        self.market.follow(request).await.unwrap().into_inner()
    }

    pub(crate) async fn result(&mut self, deal: DealId) -> Result<ResultReply, Status> {
        let request = DealRef {
            deal_id: bytes(deal.0),
            ..DealRef::default()
        };
        Ok(self.market.result(request).await?.into_inner())
    }

    /// Outputs that lie with their claims, in unit order.
    pub(crate) async fn small_outputs(&mut self, deal: DealId) -> Vec<SmallOutput> {
        let request = OutputsRequest {
            deal_id: bytes(deal.0),
            first_unit: 0,
        };
        let mut pages = self.market.outputs(request).await.unwrap().into_inner();
        let mut outputs = Vec::new();
        while let Some(page) = pages.message().await.unwrap() {
            outputs.extend(page.outputs);
        }
        outputs
    }

    /// A confirmation over any root, by any key.
    pub(crate) async fn confirm_with(
        &mut self,
        deal: DealId,
        root: B256,
        key: &MachineKey,
    ) -> Result<ConfirmReply, Status> {
        let domain = Domain::new(CHAIN_ID, self.wallet);
        let signature = key.sign(confirmation_digest(&domain, deal.0, root));
        let request = ConfirmRequest {
            deal_id: bytes(deal.0),
            result_root: bytes(root),
            signature: signature_bytes(&signature),
        };
        Ok(self.market.confirm(request).await?.into_inner())
    }

    pub(crate) async fn confirm(&mut self, deal: DealId, root: B256) -> ConfirmReply {
        let key = self.key.clone();
        self.confirm_with(deal, root, &key).await.unwrap()
    }
}
