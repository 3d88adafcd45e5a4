// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {GioToken} from "src/GioToken.sol";
import {HubWallet} from "src/HubWallet.sol";
import {DealId, DealState, DealTerms, PermitSignature, SumNode, SumStep} from "src/types/Deal.sol";
import {HubKind, HubRecord, WalletState} from "src/types/Wallet.sol";
import {CasesStandIn, TreasuryStandIn} from "../utils/Government.sol";
import {ResultTreeBuilder} from "../utils/Merkle.sol";
import {PayoutBuilder} from "../utils/Payouts.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice A wallet's whole life: periods, payouts, suspicions and at last a ban, with deals and miners in between. Every
/// action is one the protocol allows at that moment; the handler keeps its own books of who is owed what.
contract LifeHandler is Test {
    uint128 private constant GIO = 1e8;

    HubWallet public immutable WALLET;
    GioToken public immutable TOKEN;
    CasesStandIn public immutable CASES;
    TreasuryStandIn public immutable VAULT;
    Account private hub;
    Account private buyer;
    address[3] public miners;

    DealTerms[] private deals;
    mapping(uint256 index => DealState) public stateOf;
    mapping(uint256 index => uint256) private postedAt;
    uint64[3][] private payouts; // nets of the three miners, zero once claimed
    uint256 private nextCase = 1;

    WalletState public expected = WalletState.Registered;
    uint256 public escrowed;
    uint256 public guaranteed;
    uint256 public unclaimed;
    uint256 public locked;
    uint256 public fees;
    uint256 public forfeited; // the treasury's part of lost guarantees
    mapping(address miner => uint256) public owed; // by allowance
    mapping(bytes32 action => uint256) public calls;

    constructor(HubWallet wallet, GioToken token, CasesStandIn cases, TreasuryStandIn vault, Account memory hub_) {
        (WALLET, TOKEN, CASES, VAULT) = (wallet, token, cases, vault);
        hub = hub_;
        buyer = makeAccount("life's buyer");
        for (uint256 i = 0; i < 3; ++i) {
            miners[i] = makeAddr(string.concat("life's miner ", vm.toString(i)));
        }
        vm.prank(buyer.addr);
        token.approve(address(wallet), type(uint256).max);
    }

    function buyerAddress() external view returns (address) {
        return buyer.addr;
    }

    function dealCount() external view returns (uint256) {
        return deals.length;
    }

    function termsOf(uint256 index) external view returns (DealTerms memory) {
        return deals[index];
    }

    function owedInAll() public view returns (uint256) {
        return unclaimed + owed[miners[0]] + owed[miners[1]] + owed[miners[2]];
    }

    modifier when(WalletState state, bytes32 action) {
        if (expected != state) return;
        _;
        ++calls[action];
    }

    /* PERIODS */

    function topUp(uint256 amount) external {
        TOKEN.transfer(address(WALLET), bound(amount, 0, 50 * GIO));
        ++calls["topUp"];
    }

    function wait(uint256 time) external {
        skip(bound(time, 0, 10 days));
        ++calls["wait"];
    }

    function register() external when(WalletState.Idle, "register") {
        if (WALLET.freeBalance() < WALLET.freezeQuota()) TOKEN.transfer(address(WALLET), 5 * GIO);
        if (WALLET.freeBalance() < WALLET.freezeQuota()) return; // pulls it has not seen
        vm.prank(hub.addr);
        WALLET.register(HubRecord("/dns/hub", "hub", "", HubKind.Compute));
        expected = WalletState.Registered;
    }

    /// @dev Deals are given back first: the hub may always do that.
    function payday() external when(WalletState.Registered, "payday") {
        for (uint256 i = 0; i < deals.length; ++i) {
            if (stateOf[i] != DealState.Open && stateOf[i] != DealState.Posted) continue;
            vm.prank(hub.addr);
            WALLET.giveBack(deals[i]);
            _ended(i, DealState.Refunded);
        }
        uint256 time = uint256(WALLET.registeredAt()) + WALLET.payoutPeriod();
        if (block.timestamp < time) vm.warp(time);
        fees += locked * 5 / 1000;
        locked = 0;
        vm.prank(hub.addr);
        WALLET.payday();
        expected = WalletState.Idle;
    }

    function withdraw() external when(WalletState.Idle, "withdraw") {
        if (WALLET.freeBalance() == 0) return;
        vm.prank(hub.addr);
        WALLET.withdraw();
    }

    /* MINERS */

    function pay(uint256 seed, uint128 gross) external when(WalletState.Registered, "pay") {
        uint256 most = WALLET.freeBalance() / 8;
        if (most == 0) return;
        gross = uint128(bound(gross, 1, most));
        vm.prank(hub.addr);
        WALLET.transfer(miners[seed % 3], gross);
        uint256 lock = uint256(gross) * 3 / 10;
        locked += lock;
        owed[miners[seed % 3]] += gross - lock;
    }

    function pull(uint256 seed, uint256 amount) external {
        if (expected == WalletState.Suspected) return;
        address miner = miners[seed % 3];
        amount = bound(amount, 0, owed[miner]);
        vm.prank(miner);
        TOKEN.transferFrom(address(WALLET), miner, amount);
        owed[miner] -= amount;
        ++calls["pull"];
    }

    function reconcile() public {
        address[] memory list = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            list[i] = miners[i];
        }
        WALLET.reconcile(list);
        ++calls["reconcile"];
    }

    function postPayout(uint64[3] memory nets) external when(WalletState.Registered, "postPayout") {
        uint256 most = WALLET.freeBalance() / 8;
        if (most < 10 || payouts.length == 24) return;
        uint64 total = 0;
        for (uint256 i = 0; i < 3; ++i) {
            nets[i] = uint64(bound(nets[i], 1, most / 5));
            total += nets[i];
        }
        bytes32 top = PayoutBuilder.top(_tree(nets));
        vm.prank(hub.addr);
        WALLET.postPayout(top, 3, 0);
        payouts.push(nets);
        trees.push(nets);
        unclaimed += total;
        locked += (uint256(total) * 100 + 69) / 70 - total;
    }

    uint64[3][] private trees; // the nets as posted

    function _tree(uint64[3] memory nets) private view returns (bytes32[][] memory) {
        address[] memory list = new address[](3);
        uint64[] memory sums = new uint64[](3);
        for (uint256 i = 0; i < 3; ++i) {
            (list[i], sums[i]) = (miners[i], nets[i]);
        }
        return PayoutBuilder.build(list, sums);
    }

    function claim(uint256 seed) external {
        if (payouts.length == 0 || expected == WalletState.Suspected) return;
        _claim(seed % payouts.length, (seed >> 128) % 3);
        ++calls["claim"];
    }

    function _claim(uint256 epoch, uint256 i) private {
        uint64 net = payouts[epoch][i];
        if (net == 0) return;
        uint256 before = TOKEN.balanceOf(miners[i]);
        bytes32[] memory proof = PayoutBuilder.proof(_tree(trees[epoch]), i);
        WALLET.claimPayout(uint32(epoch), 3, uint32(i), miners[i], net, proof);
        assertEq(TOKEN.balanceOf(miners[i]) - before, net, "a claim pays its leaf");
        payouts[epoch][i] = 0;
        unclaimed -= net;
    }

    /// @notice What everybody can still take, taken: allowances and leaves.
    function takeAll() external {
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(miners[i]);
            TOKEN.transferFrom(address(WALLET), miners[i], owed[miners[i]]);
            owed[miners[i]] = 0;
            for (uint256 epoch = 0; epoch < payouts.length; ++epoch) {
                _claim(epoch, i);
            }
        }
        reconcile();
    }

    /* DEALS */

    function open(uint128 cap, uint128 guarantee, bool post) external when(WalletState.Registered, "open") {
        if (deals.length == 32) return;
        DealTerms memory terms;
        (terms.buyer, terms.wallet) = (buyer.addr, address(WALLET));
        terms.buyerNonce = bytes32(deals.length);
        terms.seedCommitment = keccak256(abi.encode(terms.buyerNonce));
        terms.unitCount = 2;
        terms.pricePerPu = GIO;
        terms.cap = uint128(bound(cap, 1, TOKEN.balanceOf(buyer.addr) / 4));
        terms.guarantee = uint128(bound(guarantee, 0, WALLET.freeBalance() / 8));
        terms.openBy = uint64(block.timestamp);
        terms.deliverBy = uint64(block.timestamp + 1 days);
        terms.window = 2 hours;
        bytes32 digest = Typed.digest(Typed.domain(block.chainid, address(WALLET)), Typed.termsHash(terms));
        PermitSignature memory none;
        WALLET.open(terms, _sign(buyer, digest), _sign(hub, digest), none);
        stateOf[deals.length] = DealState.Open;
        escrowed += terms.cap;
        guaranteed += terms.guarantee;
        if (post) {
            (SumNode memory left, SumNode memory right) = _children();
            vm.prank(hub.addr);
            WALLET.postResult(terms, ResultTreeBuilder.node(left, right), 3e9, 0);
            stateOf[deals.length] = DealState.Posted;
            postedAt[deals.length] = block.timestamp;
        }
        deals.push(terms);
    }

    /// @dev In every state of the wallet: after the deadline anyone ends the deal, and the buyer gets its part at once.
    function end(uint256 seed) public {
        if (deals.length == 0) return;
        uint256 index = seed % deals.length;
        DealTerms memory terms = deals[index];
        uint256 before = TOKEN.balanceOf(buyer.addr);
        uint256 taken = VAULT.expropriated();
        if (stateOf[index] == DealState.Open) {
            if (block.timestamp <= terms.deliverBy) vm.warp(terms.deliverBy + 1);
            WALLET.refund(terms);
            assertEq(TOKEN.balanceOf(buyer.addr) - before, terms.cap, "refund");
            _ended(index, DealState.Refunded);
        } else if (stateOf[index] == DealState.Posted) {
            skip(2 hours);
            WALLET.settle(terms);
            uint256 bill = terms.cap < 3 * GIO ? terms.cap : 3 * GIO;
            assertEq(TOKEN.balanceOf(buyer.addr) - before, terms.cap - bill, "the rest of the cap");
            _ended(index, DealState.Settled);
        }
        if (expected != WalletState.Punished) assertEq(VAULT.expropriated(), taken, "only a ban expropriates");
        ++calls["end"];
    }

    /// @dev Two leaves that do not add up to what is billed: anyone may show it, and if nobody does, the bill is paid.
    function _children() private pure returns (SumNode memory left, SumNode memory right) {
        (left, right) = (SumNode("left", 1e9), SumNode("right", 1e9));
    }

    /// @dev In every state of the wallet: the buyer gets its cap and its part of the guarantee, the treasury the rest.
    function refute(uint256 seed) external {
        if (deals.length == 0) return;
        uint256 index = seed % deals.length;
        DealTerms memory terms = deals[index];
        if (stateOf[index] != DealState.Posted || block.timestamp >= postedAt[index] + terms.window) return;
        uint256 before = TOKEN.balanceOf(buyer.addr);
        uint256 compensation = uint256(terms.guarantee) * 70 / 100;
        SumStep[] memory path = new SumStep[](1);
        (path[0].left, path[0].right) = _children();
        WALLET.refuteSum(terms, path);
        assertEq(TOKEN.balanceOf(buyer.addr) - before, terms.cap + compensation, "cap and compensation");
        forfeited += terms.guarantee - compensation;
        _ended(index, DealState.Refuted);
        ++calls["refute"];
    }

    function _ended(uint256 index, DealState state) private {
        stateOf[index] = state;
        escrowed -= deals[index].cap;
        guaranteed -= deals[index].guarantee;
    }

    function _sign(Account memory by, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(by.key, digest);
        return abi.encodePacked(r, s, v);
    }

    /* THE DAO */

    function suspect() external when(WalletState.Registered, "suspect") {
        uint256 caseId = nextCase++;
        CASES.open(caseId, address(WALLET));
        vm.prank(WALLET.dao());
        WALLET.suspect(caseId);
        CASES.close(caseId, address(WALLET));
        expected = WalletState.Suspected;
    }

    function rehab() external when(WalletState.Suspected, "rehab") {
        vm.prank(WALLET.dao());
        WALLET.rehab();
        locked = 0;
        expected = WalletState.Idle;
    }

    /// @dev Seldom, because nothing comes after it.
    function ban(uint256 seed) external when(WalletState.Suspected, "ban") {
        if (seed % 4 != 0) return;
        skip(120 days);
        vm.prank(WALLET.dao());
        WALLET.ban();
        locked = 0;
        expected = WalletState.Punished;
    }

    /// @dev Calls something, as who may call it, in a state where nobody may (HW-02, HW-08, HW-17, HW-23).
    function tryWhatTheStateForbids(uint256 seed) external {
        (bytes memory call_, address caller, WalletState only) = _restricted(seed % 9);
        if (expected == only) return;
        vm.prank(caller);
        (bool ok,) = address(WALLET).call(call_);
        assertFalse(ok, "a call the state forbids went through");
        ++calls["forbidden"];
    }

    /// @dev A function, its caller, and the one state of this life in which it works.
    function _restricted(uint256 which) private view returns (bytes memory, address, WalletState) {
        HubRecord memory record = HubRecord("/dns/hub", "hub", "", HubKind.Compute);
        address dao = WALLET.dao();
        if (which == 0) return (abi.encodeCall(WALLET.register, (record)), hub.addr, WalletState.Idle);
        if (which == 1) return (abi.encodeCall(WALLET.withdraw, ()), hub.addr, WalletState.Idle);
        if (which == 2) return (abi.encodeCall(WALLET.payday, ()), hub.addr, WalletState.Registered);
        if (which == 3) return (abi.encodeCall(WALLET.transfer, (miners[0], 1)), hub.addr, WalletState.Registered);
        if (which == 4) {
            return (abi.encodeCall(WALLET.postPayout, (bytes32("x"), 1, 0)), hub.addr, WalletState.Registered);
        }
        if (which == 5) return (abi.encodeCall(WALLET.suspect, (nextCase)), dao, WalletState.Registered);
        if (which == 6) return (abi.encodeCall(WALLET.rehab, ()), dao, WalletState.Suspected);
        if (which == 7) return (abi.encodeCall(WALLET.ban, ()), dao, WalletState.Suspected);
        return (abi.encodeCall(WALLET.expropriate, ()), address(this), WalletState.Punished);
    }

    function expropriate() external when(WalletState.Punished, "expropriate") {
        if (WALLET.freeBalance() != 0) WALLET.expropriate();
    }
}
