// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {GioToken} from "src/GioToken.sol";
import {HubWallet} from "src/HubWallet.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealId, DealState, DealTerms, PermitSignature, SumNode, SumStep} from "src/types/Deal.sol";
import {ResultTreeBuilder} from "../utils/Merkle.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice Plays hub, buyers, miners and passers-by. Every action is one the protocol allows at that moment, so nothing
/// reverts; what must not work is tried in `tryWhatIsNotAllowed`. The handler keeps its own books, by its own formulas.
contract WalletHandler is Test {
    struct Book {
        DealTerms terms;
        DealId dealId;
        DealState state; // where the handler left it
        uint64 cuTotal;
        bool lied; // the posted sum is not that of its two children
        SumNode left;
        SumNode right;
    }

    uint128 private constant GIO = 1e8;

    HubWallet public immutable WALLET;
    GioToken public immutable TOKEN;
    address public immutable AUTHOR;
    Account private hub;
    Account[] private buyers;
    address[] public miners;

    Book[] private books;

    // The handler's own sums.
    uint256 public toppedUp;
    uint256 public earned; // hub parts of ended deals
    uint256 public forfeited; // guarantees lost
    uint256 public escrowed; // caps of deals that have not ended
    uint256 public guaranteed; // guarantees of the same deals
    uint256 public lockedSum;
    uint256 public grossSum;
    mapping(address miner => uint256) public owed; // net approved and not pulled
    mapping(bytes32 action => uint256) public calls;

    constructor(HubWallet wallet, GioToken token, Account memory hub_, address author) {
        WALLET = wallet;
        TOKEN = token;
        hub = hub_;
        AUTHOR = author;
        for (uint256 i = 0; i < 3; ++i) {
            buyers.push(makeAccount(string.concat("buyer ", vm.toString(i))));
            miners.push(makeAddr(string.concat("miner ", vm.toString(i))));
            vm.prank(buyers[i].addr);
            token.approve(address(wallet), type(uint256).max);
        }
    }

    function bookCount() external view returns (uint256) {
        return books.length;
    }

    function termsOf(uint256 index) external view returns (DealTerms memory) {
        return books[index].terms;
    }

    function stateOf(uint256 index) external view returns (DealId, DealState) {
        return (books[index].dealId, books[index].state);
    }

    function minerCount() external view returns (uint256) {
        return miners.length;
    }

    /// @notice What the hub really has: the balance less all that is kept for others, pulls seen or not.
    /// @dev The wallet's own view of it may be lower, by pulls it has not seen, and never below zero.
    function ownMoney() public view returns (uint256) {
        uint256 kept = escrowed + guaranteed + WALLET.freezeQuota() + lockedSum;
        for (uint256 i = 0; i < miners.length; ++i) {
            kept += owed[miners[i]];
        }
        return TOKEN.balanceOf(address(WALLET)) - kept;
    }

    function buyerAddress(uint256 index) external view returns (address) {
        return buyers[index].addr;
    }

    /* THE HUB'S MONEY */

    function topUp(uint256 amount) external {
        amount = bound(amount, 0, 100 * GIO);
        TOKEN.transfer(address(WALLET), amount);
        toppedUp += amount;
        ++calls["topUp"];
    }

    function pay(uint256 minerSeed, uint128 gross) external {
        uint256 most = WALLET.freeBalance() / 8; // so that something is left for the next deals
        if (most == 0) return;
        gross = uint128(bound(gross, 1, most));
        vm.prank(hub.addr);
        WALLET.transfer(_miner(minerSeed), gross);
        _paid(_miner(minerSeed), gross);
        ++calls["pay"];
    }

    function payNet(uint256 minerSeed, uint128 net) external {
        uint256 most = WALLET.freeBalance() / 8;
        if (most == 0) return;
        net = uint128(bound(net, 1, most));
        uint128 gross = uint128((uint256(net) * 100 + 69) / 70);
        vm.prank(hub.addr);
        WALLET.transferNet(_miner(minerSeed), net);
        _paid(_miner(minerSeed), gross);
        ++calls["payNet"];
    }

    function _paid(address miner, uint128 gross) private {
        uint256 lock = uint256(gross) * 3 / 10;
        lockedSum += lock;
        grossSum += gross;
        owed[miner] += gross - lock;
    }

    function pull(uint256 minerSeed, uint256 amount) external {
        address miner = _miner(minerSeed);
        amount = bound(amount, 0, owed[miner]);
        vm.prank(miner);
        TOKEN.transferFrom(address(WALLET), miner, amount);
        owed[miner] -= amount;
        ++calls["pull"];
    }

    function reconcile(uint256 minerSeed) external {
        address[] memory list = new address[](1);
        list[0] = _miner(minerSeed);
        WALLET.reconcile(list);
        ++calls["reconcile"];
    }

    function wait(uint256 time) external {
        skip(bound(time, 0, 1 hours));
        ++calls["wait"];
    }

    /* DEALS */

    function open(uint256 buyerSeed, uint128 cap, uint128 guarantee, uint128 price, uint16 perMille) public {
        if (books.length == 48) return; // keeps the loops of the invariants short
        Account memory buyer = buyers[buyerSeed % buyers.length];
        DealTerms memory terms;
        terms.buyer = buyer.addr;
        terms.wallet = address(WALLET);
        terms.buyerNonce = keccak256(abi.encode("nonce", books.length));
        terms.seedCommitment = keccak256(abi.encode(terms.buyerNonce));
        terms.unitCount = 2;
        terms.pricePerPu = uint128(bound(price, 0, 100 * GIO));
        uint256 most = TOKEN.balanceOf(buyer.addr) / 2;
        if (most == 0) return;
        terms.cap = uint128(bound(cap, 1, most));
        terms.guarantee = uint128(bound(guarantee, 0, WALLET.freeBalance() / 8));
        terms.royaltyTo = AUTHOR;
        terms.royaltyPerMille = uint16(bound(perMille, 0, 1000));
        terms.openBy = uint64(block.timestamp);
        terms.deliverBy = uint64(block.timestamp + 1 days);
        terms.window = 2 hours;
        bytes32 digest = _digest(Typed.termsHash(terms));
        PermitSignature memory none;
        WALLET.open(terms, _sign(buyer, digest), _sign(hub, digest), none);

        Book storage entry = books.push();
        entry.terms = terms;
        entry.dealId = DealId.wrap(digest);
        entry.state = DealState.Open;
        escrowed += terms.cap;
        guaranteed += terms.guarantee;
        ++calls["open"];
    }

    function post(uint256 seed, uint64 leftCu, uint64 rightCu, uint64 lie) public {
        (bool found, uint256 index) = _find(seed, DealState.Open);
        if (!found) return;
        Book storage entry = books[index];
        if (block.timestamp > entry.terms.deliverBy) return;
        leftCu = uint64(bound(leftCu, 0, 50e9));
        rightCu = uint64(bound(rightCu, 0, 50e9));
        lie = lie % 2 == 0 ? uint64(bound(lie, 1, 50e9)) : 0;
        entry.left = ResultTreeBuilder.leaf(0, keccak256("left"), leftCu);
        entry.right = ResultTreeBuilder.leaf(1, keccak256("right"), rightCu);
        entry.cuTotal = leftCu + rightCu + lie;
        entry.lied = lie != 0;
        entry.state = DealState.Posted;
        bytes32 treeHash = ResultTreeBuilder.node(entry.left, entry.right);
        vm.prank(hub.addr);
        WALLET.postResult(entry.terms, treeHash, entry.cuTotal, 0);
        ++calls["post"];
    }

    /// @dev The usual beginning in one action, so that short campaigns reach the ends of deals as well.
    function openAndPost(uint256 seed, uint128 cap, uint128 guarantee, uint64 cu, uint64 lie) external {
        open(seed, cap, guarantee, uint128(cu), uint16(lie));
        post(seed, cu, lie, lie >> 16);
    }

    function confirm(uint256 seed, bool bySignature) external {
        (bool found, uint256 index) = _find(seed, DealState.Posted);
        if (!found) return;
        Book storage entry = books[index];
        uint256[3] memory before = _holdings(entry);
        bytes32 resultRoot = WALLET.deal(entry.dealId).resultRoot;
        bytes memory signature;
        if (bySignature) {
            signature = _sign(_buyerOf(entry), _digest(Typed.confirmation(entry.dealId, resultRoot)));
        } else {
            vm.prank(entry.terms.buyer);
        }
        WALLET.confirm(entry.terms, resultRoot, signature);
        _settled(entry, before, DealState.Settled, _bill(entry));
        ++calls["confirm"];
    }

    function settle(uint256 seed) external {
        (bool found, uint256 index) = _find(seed, DealState.Posted);
        if (!found) return;
        Book storage entry = books[index];
        _warpTo(WALLET.deal(entry.dealId).windowEnd);
        uint256[3] memory before = _holdings(entry);
        WALLET.settle(entry.terms);
        _settled(entry, before, DealState.Settled, _bill(entry));
        ++calls["settle"];
    }

    function refund(uint256 seed) external {
        (bool found, uint256 index) = _find(seed, DealState.Open);
        if (!found) return;
        Book storage entry = books[index];
        // Otherwise a day passes for all deals; most of the time only those already due are refunded.
        if (block.timestamp <= entry.terms.deliverBy && seed % 4 != 0) return;
        _warpTo(entry.terms.deliverBy + 1);
        uint256[3] memory before = _holdings(entry);
        WALLET.refund(entry.terms);
        _settled(entry, before, DealState.Refunded, 0);
        ++calls["refund"];
    }

    function cancel(uint256 seed, bool posted, uint128 payment) external {
        (bool found, uint256 index) = _find(seed, posted ? DealState.Posted : DealState.Open);
        if (!found) return;
        Book storage entry = books[index];
        payment = uint128(bound(payment, 0, entry.terms.cap));
        bytes32 digest = _digest(Typed.cancellation(entry.dealId, payment));
        uint256[3] memory before = _holdings(entry);
        WALLET.cancel(entry.terms, payment, _sign(_buyerOf(entry), digest), _sign(hub, digest));
        _settled(entry, before, DealState.Cancelled, payment);
        ++calls["cancel"];
    }

    function refute(uint256 seed) external {
        (bool found, uint256 index) = _find(seed, DealState.Posted);
        if (!found) return;
        Book storage entry = books[index];
        if (!entry.lied || block.timestamp >= WALLET.deal(entry.dealId).windowEnd) return;
        uint256[3] memory before = _holdings(entry);
        WALLET.refuteSum(entry.terms, _path(entry));
        _release(entry);
        uint256[3] memory afterwards = _holdings(entry);
        uint256 guarantee = entry.terms.guarantee;
        assertEq(afterwards[0] - before[0], entry.terms.cap + guarantee * 70 / 100, "cap and compensation");
        assertEq(afterwards[1], before[1], "nothing to the author");
        assertEq(afterwards[2], before[2], "nothing becomes free");
        forfeited += guarantee;
        entry.state = DealState.Refuted;
        ++calls["refute"];
    }

    /* WHAT MUST NOT WORK */

    /// @dev Calls something the deal's state, the time or the caller forbids, and wants it refused.
    function tryWhatIsNotAllowed(uint256 seed, uint8 what) external {
        if (books.length == 0) return;
        Book storage entry = books[seed % books.length];
        (bool forbidden, address caller, bytes memory call_) = _forbidden(entry, what % 8);
        if (!forbidden) return;
        vm.prank(caller);
        (bool ok,) = address(WALLET).call(call_);
        assertFalse(ok, "a forbidden call went through");
        ++calls["forbidden"];
    }

    function _forbidden(Book storage entry, uint256 what)
        private
        view
        returns (bool forbidden, address caller, bytes memory call_)
    {
        DealTerms memory terms = entry.terms;
        DealState state = entry.state;
        caller = what % 2 == 0 ? hub.addr : terms.buyer;
        bytes32 digest = DealId.unwrap(entry.dealId);
        if (what == 0) {
            PermitSignature memory none;
            bytes memory byBuyer = _sign(_buyerOf(entry), digest);
            return (true, caller, abi.encodeCall(IHubWallet.open, (terms, byBuyer, _sign(hub, digest), none)));
        }
        if (what == 1) return (true, caller, abi.encodeCall(IHubWallet.postResult, (terms, "tree", 1, 0)));
        if (what == 2) {
            bool early = block.timestamp < WALLET.deal(entry.dealId).windowEnd;
            return (state != DealState.Posted || early, caller, abi.encodeCall(IHubWallet.settle, (terms)));
        }
        if (what == 3) {
            bool early = block.timestamp <= terms.deliverBy;
            return (state != DealState.Open || early, caller, abi.encodeCall(IHubWallet.refund, (terms)));
        }
        bytes32 root = WALLET.deal(entry.dealId).resultRoot;
        if (what == 4) return (true, caller, abi.encodeCall(IHubWallet.confirm, (terms, root, "")));
        if (what == 5) {
            return (state != DealState.Posted, caller, abi.encodeCall(IHubWallet.confirm, (terms, root, "")));
        }
        if (what == 6) {
            bool right = state == DealState.Posted && entry.lied;
            return (!right, caller, abi.encodeCall(IHubWallet.refuteSum, (terms, _path(entry))));
        }
        return (true, caller, abi.encodeCall(IHubWallet.transfer, (terms.buyer, 1)));
    }

    /* PRIVATE */

    /// @dev Buyer's tokens, author's tokens, the hub's own money.
    function _holdings(Book storage entry) private view returns (uint256[3] memory) {
        return [TOKEN.balanceOf(entry.terms.buyer), TOKEN.balanceOf(AUTHOR), ownMoney()];
    }

    /// @dev Conservation per deal: the cap is refund, royalty and hub's part, to the base unit.
    function _settled(Book storage entry, uint256[3] memory before, DealState state, uint256 payment) private {
        _release(entry);
        uint256[3] memory afterwards = _holdings(entry);
        uint256 royalty = payment * entry.terms.royaltyPerMille / 1000;
        assertEq(afterwards[0] - before[0], entry.terms.cap - payment, "refund");
        assertEq(afterwards[1] - before[1], royalty, "royalty");
        assertEq(afterwards[2] - before[2], payment - royalty + entry.terms.guarantee, "hub's part and guarantee");
        earned += payment - royalty;
        entry.state = state;
    }

    function _release(Book storage entry) private {
        escrowed -= entry.terms.cap;
        guaranteed -= entry.terms.guarantee;
    }

    function _bill(Book storage entry) private view returns (uint256) {
        uint256 bill = uint256(entry.cuTotal) * entry.terms.pricePerPu / 1e9;
        return bill < entry.terms.cap ? bill : entry.terms.cap;
    }

    function _path(Book storage entry) private view returns (SumStep[] memory path) {
        path = new SumStep[](1);
        path[0] = SumStep(entry.left, entry.right, false);
    }

    /// @dev The first deal in `state` from a random place on.
    function _find(uint256 seed, DealState state) private view returns (bool found, uint256 index) {
        for (uint256 i = 0; i < books.length; ++i) {
            index = (seed % books.length + i) % books.length;
            if (books[index].state == state) return (true, index);
        }
    }

    function _miner(uint256 seed) private view returns (address) {
        return miners[seed % miners.length];
    }

    function _buyerOf(Book storage entry) private view returns (Account memory) {
        for (uint256 i = 0; i < buyers.length; ++i) {
            if (buyers[i].addr == entry.terms.buyer) return buyers[i];
        }
        revert("every deal has one of the buyers");
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return Typed.digest(Typed.domain(block.chainid, address(WALLET)), structHash);
    }

    function _sign(Account memory by, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(by.key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _warpTo(uint64 time) private {
        if (block.timestamp < time) vm.warp(time);
    }
}
