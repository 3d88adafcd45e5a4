// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {GioToken} from "src/GioToken.sol";
import {HubFactory} from "src/HubFactory.sol";
import {HubWallet} from "src/HubWallet.sol";
import {Whitelist} from "src/Whitelist.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {Claim, Deal, DealId, DealState, DealTerms, PermitSignature, SumNode, UnitLeaf} from "src/types/Deal.sol";
import {HubKind, HubRecord, Ledger, WalletParameters} from "src/types/Wallet.sol";
import {CasesStandIn, TreasuryStandIn} from "./Government.sol";
import {JobTreeBuilder, ResultTreeBuilder} from "./Merkle.sol";
import {Typed} from "./Typed.sol";

/// @notice Deploys the contracts once per test contract, and tells the beginning of every story: a registered hub with
/// money, a buyer with money, terms both sign.
abstract contract BaseTest is Test {
    uint128 internal constant GIO = 1e8;
    uint128 internal constant SUPPLY = 20_000_000 * GIO;
    uint128 internal constant QUOTA = 1 * GIO;
    uint128 internal constant HUB_MONEY = 1000 * GIO;
    uint128 internal constant BUYER_MONEY = 1000 * GIO;
    uint64 internal constant GENESIS = 1_790_000_000;

    Account internal hub = makeAccount("hub");
    Account internal buyer = makeAccount("buyer");
    Account internal stranger = makeAccount("stranger");
    address internal author = makeAddr("author");
    address internal miner = makeAddr("miner");
    address internal dao = makeAddr("dao");
    address internal bridge = makeAddr("bridge");
    address internal treasury = makeAddr("treasury");

    GioToken internal token;
    CasesStandIn internal cases;
    TreasuryStandIn internal vault;
    Whitelist internal whitelist;
    HubWallet internal implementation;
    HubFactory internal factory;
    HubWallet internal wallet;

    function setUp() public virtual {
        vm.warp(GENESIS);
        token = new GioToken(bridge, treasury, SUPPLY);
        cases = new CasesStandIn();
        vault = new TreasuryStandIn(token);
        implementation = new HubWallet();
        (whitelist, factory) = _deployFactory(address(token));
        wallet = _createHub(hub.addr, "first");
        _fund(buyer.addr, BUYER_MONEY);
        vm.prank(buyer.addr);
        token.approve(address(wallet), type(uint256).max);
    }

    /* DEPLOYMENT */

    function _deployFactory(address token_) internal returns (Whitelist whitelist_, HubFactory factory_) {
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        whitelist_ = new Whitelist(predicted);
        factory_ = new HubFactory(address(implementation), _parameters(token_, address(whitelist_)));
    }

    function _parameters(address token_, address whitelist_) internal view returns (WalletParameters memory) {
        return WalletParameters({
            dao: dao,
            treasury: address(vault),
            cases: address(cases),
            token: token_,
            whitelist: whitelist_,
            freezeQuota: QUOTA,
            lockPercent: 30,
            daoFeePerMille: 5,
            payoutPeriod: 30 days,
            suspicionPeriod: 120 days
        });
    }

    function _createHub(address owner, bytes32 salt) internal returns (HubWallet) {
        vm.prank(owner);
        return HubWallet(factory.createHub(salt));
    }

    function _fund(address to, uint256 amount) internal {
        vm.prank(treasury);
        token.transfer(to, amount);
    }

    function _record() internal pure returns (HubRecord memory) {
        return HubRecord({
            endpoint: "/ip4/127.0.0.1/tcp/4001/p2p/16Uiu2HAm",
            name: "first hub",
            description: "renders pictures",
            kind: HubKind.Compute
        });
    }

    /// @dev The hub's wallet with HUB_MONEY, of which QUOTA is frozen.
    function _register() internal {
        _fund(address(wallet), HUB_MONEY);
        vm.prank(hub.addr);
        wallet.register(_record());
    }

    /* TERMS */

    function _terms() internal view returns (DealTerms memory) {
        return DealTerms({
            buyer: buyer.addr,
            wallet: address(wallet),
            buyerNonce: keccak256("buyer nonce"),
            hubNonce: keccak256("hub nonce"),
            seedCommitment: keccak256(abi.encode(keccak256("buyer nonce"))),
            jobRoot: keccak256("job"),
            unitCount: 4,
            mode: 0,
            modeParams: 0,
            machineVersion: 0,
            machineParams: keccak256("machine"),
            pricePerPu: 2 * GIO,
            cap: 100 * GIO,
            guarantee: 10 * GIO,
            royaltyTo: author,
            royaltyPerMille: 50,
            court: address(0),
            clockStart: GENESIS,
            openBy: GENESIS + 1 hours,
            deliverBy: GENESIS + 1 days,
            window: 2 hours
        });
    }

    function _freshNonce(DealTerms memory terms, bytes32 nonce) internal pure {
        terms.buyerNonce = nonce;
        terms.seedCommitment = keccak256(abi.encode(nonce));
    }

    /// @dev The deal id from the text of the protocol, not from the wallet.
    function _dealId(DealTerms memory terms) internal view returns (DealId) {
        return DealId.wrap(_digest(Typed.termsHash(terms)));
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return Typed.digest(Typed.domain(block.chainid, address(wallet)), structHash);
    }

    function _sign(Account memory by, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(by.key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _noPermit() internal pure returns (PermitSignature memory permit) {}

    /* DEALS */

    /// @dev Opened by a stranger: whoever has both signatures may.
    function _open(DealTerms memory terms) internal returns (DealId dealId) {
        dealId = _dealId(terms);
        bytes32 digest = DealId.unwrap(dealId);
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        vm.prank(stranger.addr);
        wallet.open(terms, buyerSignature, hubSignature, _noPermit());
    }

    function _post(DealTerms memory terms, bytes32 treeHash, uint64 cuTotal) internal returns (bytes32 resultRoot) {
        vm.prank(hub.addr);
        wallet.postResult(terms, treeHash, cuTotal, keccak256("claims file"));
        resultRoot = ResultTreeBuilder.root(terms.unitCount, SumNode(treeHash, cuTotal));
    }

    function _state(DealId dealId) internal view returns (DealState) {
        return wallet.deal(dealId).state;
    }

    /* EXPECTATIONS */

    function _assertState(DealId dealId, DealState expected) internal view {
        assertEq(uint8(wallet.deal(dealId).state), uint8(expected), "deal state");
    }

    function _assertLedger(uint128 escrow, uint128 guarantees, uint128 locked, uint128 approvals) internal view {
        Ledger memory ledger = wallet.ledger();
        assertEq(ledger.escrow, escrow, "escrow");
        assertEq(ledger.guarantees, guarantees, "guarantees");
        assertEq(ledger.locked, locked, "locked");
        assertEq(ledger.approvals, approvals, "approvals");
    }

    /* JOBS AND RESULTS */

    function _units(uint32 count, uint256 seed) internal pure returns (UnitLeaf[] memory units) {
        units = new UnitLeaf[](count);
        for (uint32 i = 0; i < count; ++i) {
            units[i] = UnitLeaf({
                index: i,
                kind: 1,
                programRoot: keccak256("program"),
                inputRoot: keccak256(abi.encode(seed, "input", i)),
                inputLength: 64,
                cuLimit: uint64(1e9 + uint256(keccak256(abi.encode(seed, "limit", i))) % 1e12),
                pagesMax: 16,
                outputMax: 1 << 20,
                unitSeed: keccak256(abi.encode(seed, "seed", i))
            });
        }
    }

    /// @dev A claim that respects its unit's limit; about every fifth unit is missing.
    function _claims(DealId dealId, UnitLeaf[] memory units, uint256 seed)
        internal
        view
        returns (Claim[] memory claims, bool[] memory missing)
    {
        claims = new Claim[](units.length);
        missing = new bool[](units.length);
        for (uint256 i = 0; i < units.length; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, "claim", i)));
            missing[i] = random % 5 == 0;
            claims[i] = Claim({
                dealId: dealId,
                unit: units[i].index,
                owner: miner,
                programRoot: units[i].programRoot,
                inputRoot: units[i].inputRoot,
                status: uint8(random >> 8) % 3,
                exitCode: 0,
                cu: uint64((random >> 16) % (uint256(units[i].cuLimit) + 1)),
                outputRoot: bytes32(random),
                outputLength: 32,
                contentRoot: bytes32(~random)
            });
        }
    }

    function _leaves(Claim[] memory claims, bool[] memory missing) internal pure returns (SumNode[] memory leaves) {
        leaves = new SumNode[](claims.length);
        for (uint256 i = 0; i < claims.length; ++i) {
            if (missing[i]) continue;
            leaves[i] = ResultTreeBuilder.leaf(claims[i].unit, Typed.claimHash(claims[i]), claims[i].cu);
        }
    }

    function _jobRoot(UnitLeaf[] memory units) internal pure returns (bytes32) {
        return JobTreeBuilder.root(units);
    }
}
