// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {Claim, DealId, DealTerms, SumNode, SumStep, UnitLeaf} from "src/types/Deal.sol";
import {WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {JobTreeBuilder, ResultTreeBuilder} from "../utils/Merkle.sol";
import {PayoutBuilder} from "../utils/Payouts.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice Every state x every function that changes something x every caller: exactly the listed cells succeed (HW-02,
/// HW-08, HW-17, HW-23, read as R7 says). In each cell everything but state and caller is right: time has come, deals are
/// there to be ended, signatures and proofs are valid, and money is there.
contract HubWalletTableTest is BaseTest {
    enum Caller {
        Owner,
        Dao,
        Buyer,
        Miner,
        Stranger
    }

    /// @dev One function: what to call, in which states it works (a bit per state), the same after all deadlines, and for
    /// whom (a bit per caller).
    struct Row {
        string name;
        bytes call;
        uint8 states;
        uint8 lateStates;
        uint8 callers;
    }

    uint8 private constant CREATED = 1;
    uint8 private constant REGISTERED = 2;
    uint8 private constant IDLE = 4;
    uint8 private constant SUSPECTED = 8;
    uint8 private constant PUNISHED = 16;
    uint8 private constant EVERY_STATE = 31;
    uint8 private constant NO_STATE = 0;

    uint8 private constant OWNER = 1;
    uint8 private constant DAO = 2;
    uint8 private constant BUYER = 4;
    uint8 private constant ANYONE = 31;

    uint64 private constant CLAIM = uint64(7 * GIO);

    Row[] private rows;

    /* STATES */

    /// @dev A wallet in `state` with four deals in it (open, posted, posted with a false sum, posted with a false bill), an
    /// allowance and a payout. A wallet only Created has none of these: nothing that needs them can work there.
    function _to(WalletState state) private {
        if (state == WalletState.Created) {
            _fund(address(wallet), HUB_MONEY);
            vm.warp(_openTime());
            return;
        }
        _register();
        vm.startPrank(hub.addr);
        wallet.transfer(miner, 10 * GIO);
        wallet.postPayout(PayoutBuilder.leaf(0, miner, CLAIM), 1, 0);
        vm.stopPrank();
        // Payday has been possible for long when the deals are made, so that time is right for everything.
        vm.warp(_openTime());
        if (state == WalletState.Registered) cases.open(1, address(wallet));
        _deals();
        if (state == WalletState.Registered) return;
        _suspect();
        if (state == WalletState.Suspected) return;
        vm.startPrank(dao);
        // Idle with deals inside: only rehabilitation leads there.
        if (state == WalletState.Idle) {
            wallet.rehab();
        } else {
            vm.warp(uint256(wallet.suspectedAt()) + 120 days);
            wallet.ban();
        }
        vm.stopPrank();
        // A gift, so that there is something to expropriate or to register with.
        _fund(address(wallet), 10 * GIO);
    }

    /// @dev After the period and the one more that a case may delay payday by.
    function _openTime() private pure returns (uint256) {
        return GENESIS + 60 days;
    }

    function _suspect() private {
        cases.open(1, address(wallet));
        vm.prank(dao);
        wallet.suspect(1);
    }

    function _dealTerms(uint256 nonce) private view returns (DealTerms memory terms) {
        terms = _terms();
        _freshNonce(terms, bytes32(nonce));
        terms.cap = GIO;
        terms.guarantee = GIO;
        terms.openBy = uint64(_openTime());
        terms.deliverBy = uint64(_openTime() + 1);
        terms.window = 30 days;
        terms.unitCount = 2;
        terms.jobRoot = _jobRoot(_units(2, 1));
    }

    function _deals() private {
        for (uint256 i = 1; i <= 4; ++i) {
            _open(_dealTerms(i));
        }
        _post(_dealTerms(2), keccak256("tree"), 1e9);
        (SumNode memory left, SumNode memory right) = _leavesOf(_dealTerms(3), 5);
        _post(_dealTerms(3), ResultTreeBuilder.node(left, right), 11);
        uint64 tooMuch = _units(2, 1)[0].cuLimit + 1;
        (left, right) = _leavesOf(_dealTerms(4), tooMuch);
        _post(_dealTerms(4), ResultTreeBuilder.node(left, right), tooMuch);
    }

    function _claimOf(DealTerms memory terms, uint64 cu) private view returns (Claim memory claim) {
        claim.dealId = _dealId(terms);
        claim.owner = miner;
        claim.cu = cu;
    }

    function _leavesOf(DealTerms memory terms, uint64 cu)
        private
        view
        returns (SumNode memory left, SumNode memory right)
    {
        left = ResultTreeBuilder.leaf(0, Typed.claimHash(_claimOf(terms, cu)), cu);
    }

    /* ROWS */

    function _row(string memory name, bytes memory call_, uint8 states, uint8 callers) private {
        _row(name, call_, states, states, callers);
    }

    function _row(string memory name, bytes memory call_, uint8 states, uint8 lateStates, uint8 callers) private {
        rows.push(Row(name, call_, states, lateStates, callers));
    }

    function _fill() private {
        _ownersRows();
        _daosRows();
        _dealsRows();
        _refutationRows();
        _rowsThatWait();
    }

    function _ownersRows() private {
        _row("register", abi.encodeCall(IHubWallet.register, (_record())), CREATED | IDLE, OWNER);
        _row("transfer", abi.encodeCall(IHubWallet.transfer, (miner, GIO)), REGISTERED, OWNER);
        _row("transferNet", abi.encodeCall(IHubWallet.transferNet, (miner, GIO)), REGISTERED, OWNER);
        bytes32 top = PayoutBuilder.leaf(0, miner, CLAIM);
        _row("postPayout", abi.encodeCall(IHubWallet.postPayout, (top, 1, 0)), REGISTERED, OWNER);
        _row("withdraw", abi.encodeCall(IHubWallet.withdraw, ()), IDLE, OWNER);
        _row("giveBack", abi.encodeCall(IHubWallet.giveBack, (_dealTerms(1))), REGISTERED, OWNER);
        _row("postResult", abi.encodeCall(IHubWallet.postResult, (_dealTerms(1), 0, 0, 0)), REGISTERED, NO_STATE, OWNER);
        bytes32[] memory none;
        bytes memory claim = abi.encodeCall(IHubWallet.claimPayout, (0, 1, 0, miner, CLAIM, none));
        _row("claimPayout", claim, REGISTERED | IDLE | PUNISHED, ANYONE);
        _row("reconcile", abi.encodeCall(IHubWallet.reconcile, (new address[](1))), EVERY_STATE, ANYONE);
    }

    function _daosRows() private {
        _row("suspect", abi.encodeCall(IHubWallet.suspect, (1)), REGISTERED, DAO);
        _row("rehab", abi.encodeCall(IHubWallet.rehab, ()), SUSPECTED, DAO);
        _row("expropriate", abi.encodeCall(IHubWallet.expropriate, ()), PUNISHED, ANYONE);
    }

    function _dealsRows() private {
        uint8 withDeals = EVERY_STATE & ~CREATED;
        DealTerms memory fresh = _dealTerms(9);
        bytes32 digest = DealId.unwrap(_dealId(fresh));
        bytes memory call_ =
            abi.encodeCall(IHubWallet.open, (fresh, _sign(buyer, digest), _sign(hub, digest), _noPermit()));
        _row("open", call_, REGISTERED, NO_STATE, ANYONE);
        DealTerms memory posted = _dealTerms(2);
        bytes32 root = ResultTreeBuilder.root(2, SumNode(keccak256("tree"), 1e9));
        digest = _digest(Typed.confirmation(_dealId(posted), root));
        _row("confirm", abi.encodeCall(IHubWallet.confirm, (posted, root, "")), withDeals, BUYER);
        call_ = abi.encodeCall(IHubWallet.confirm, (posted, root, _sign(buyer, digest)));
        _row("confirm, signed", call_, withDeals, ANYONE);
        digest = _digest(Typed.cancellation(_dealId(posted), 1));
        call_ = abi.encodeCall(IHubWallet.cancel, (posted, 1, _sign(buyer, digest), _sign(hub, digest)));
        _row("cancel", call_, withDeals, ANYONE);
    }

    function _refutationRows() private {
        uint8 withDeals = EVERY_STATE & ~CREATED & ~PUNISHED;
        SumStep[] memory path = new SumStep[](1);
        (path[0].left, path[0].right) = _leavesOf(_dealTerms(3), 5);
        _row("refuteSum", abi.encodeCall(IHubWallet.refuteSum, (_dealTerms(3), path)), withDeals, NO_STATE, ANYONE);
        DealTerms memory terms = _dealTerms(4);
        UnitLeaf[] memory units = _units(2, 1);
        uint64 cu = units[0].cuLimit + 1;
        bytes32[] memory jobProof = new bytes32[](1);
        jobProof[0] = JobTreeBuilder.leaf(units[1]);
        SumNode[] memory proof = new SumNode[](1);
        bytes memory call_ =
            abi.encodeCall(IHubWallet.refuteBill, (terms, units[0], jobProof, _claimOf(terms, cu), cu, proof));
        _row("refuteBill", call_, withDeals, NO_STATE, ANYONE);
    }

    /// @dev A ban cannot come before the deals' deadlines, so in Punished they are over from the beginning.
    function _rowsThatWait() private {
        uint8 withDeals = EVERY_STATE & ~CREATED;
        _row("refund", abi.encodeCall(IHubWallet.refund, (_dealTerms(1))), PUNISHED, withDeals, ANYONE);
        _row("settle", abi.encodeCall(IHubWallet.settle, (_dealTerms(2))), PUNISHED, withDeals, ANYONE);
        _row("ban", abi.encodeCall(IHubWallet.ban, ()), NO_STATE, SUSPECTED, DAO);
        // It waits for the deals; without them it is looked at below.
        _row("payday", abi.encodeCall(IHubWallet.payday, ()), NO_STATE, OWNER);
    }

    /* THE TABLE */

    function _address(Caller caller) private view returns (address) {
        if (caller == Caller.Owner) return hub.addr;
        if (caller == Caller.Dao) return dao;
        if (caller == Caller.Buyer) return buyer.addr;
        return caller == Caller.Miner ? miner : stranger.addr;
    }

    function _checkRow(Row memory row, WalletState state, bool isLate) private {
        uint8 states = isLate ? row.lateStates : row.states;
        for (uint8 caller = 0; caller < 5; ++caller) {
            bool listed = (states >> uint8(state)) & 1 == 1 && (row.callers >> caller) & 1 == 1;
            uint256 snapshot = vm.snapshotState();
            vm.prank(_address(Caller(caller)));
            (bool ok, bytes memory answer) = address(wallet).call(row.call);
            vm.revertToState(snapshot);
            string memory cell = string.concat(
                isLate ? "late " : "", row.name, ", state ", vm.toString(uint8(state)), ", caller ", vm.toString(caller)
            );
            assertEq(ok, listed, cell);
            if (!ok) assertGe(answer.length, 4, string.concat(cell, ": no typed error"));
        }
    }

    function _checkState(WalletState state) private {
        _fill();
        _to(state);
        for (uint256 i = 0; i < rows.length; ++i) {
            _checkRow(rows[i], state, false);
        }
    }

    function test_table_created() public {
        _checkState(WalletState.Created);
    }

    function test_table_registered() public {
        _checkState(WalletState.Registered);
    }

    function test_table_idle() public {
        _checkState(WalletState.Idle);
    }

    function test_table_suspected() public {
        _checkState(WalletState.Suspected);
    }

    function test_table_punished() public {
        _checkState(WalletState.Punished);
    }

    /* AFTER EVERY DEADLINE */

    function _checkLate(WalletState state) private {
        _fill();
        _to(state);
        vm.warp(block.timestamp + 121 days);
        for (uint256 i = 0; i < rows.length; ++i) {
            _checkRow(rows[i], state, true);
        }
        // Payday waits for deals, so it gets a wallet without any.
        if (state == WalletState.Registered) {
            for (uint256 i = 2; i <= 4; ++i) {
                wallet.settle(_dealTerms(i));
            }
            wallet.refund(_dealTerms(1));
        }
        bytes memory payday = abi.encodeCall(IHubWallet.payday, ());
        _checkRow(Row("payday without deals", payday, NO_STATE, REGISTERED, OWNER), state, true);
    }

    function test_table_late_created() public {
        _checkLate(WalletState.Created);
    }

    function test_table_late_registered() public {
        _checkLate(WalletState.Registered);
    }

    function test_table_late_idle() public {
        _checkLate(WalletState.Idle);
    }

    function test_table_late_suspected() public {
        _checkLate(WalletState.Suspected);
    }

    function test_table_late_punished() public {
        _checkLate(WalletState.Punished);
    }

    /// @dev The table names every function of the wallet that changes something, and no other.
    function test_table_isComplete() public {
        _fill();
        string[] memory changing = vm.parseJsonKeys(vm.readFile("snapshots/access/HubWallet.json"), "$");
        assertGt(changing.length, 0);
        bool[] memory isNamed = new bool[](changing.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            Row memory row = rows[i];
            uint256 found = _indexOf(changing, bytes4(row.call));
            assertLt(found, changing.length, row.name);
            isNamed[found] = true;
        }
        for (uint256 i = 0; i < changing.length; ++i) {
            assertTrue(isNamed[i], changing[i]);
        }
    }

    function _indexOf(string[] memory signatures, bytes4 selector) private pure returns (uint256 i) {
        while (i < signatures.length && bytes4(keccak256(bytes(signatures[i]))) != selector) {
            ++i;
        }
    }
}
