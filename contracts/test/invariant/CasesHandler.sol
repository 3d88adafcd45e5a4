// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {Test} from "forge-std/Test.sol";

import {Cases} from "src/Cases.sol";
import {Dao} from "src/Dao.sol";
import {GioToken} from "src/GioToken.sol";
import {ICases} from "src/interfaces/ICases.sol";
import {CaseKind, CaseOutcome} from "src/types/Governance.sol";
import {WalletState} from "src/types/Wallet.sol";
import {GovernedWallet} from "../utils/GovernedWallet.sol";

/// @notice Plays accusers, hubs, voters and passers-by over three wallets, with the real Dao. Every action is allowed at its
/// moment, so nothing reverts; what must not work is tried in `tryWhatIsNotAllowed`.
contract CasesHandler is Test {
    /// @notice What the handler knows of a case.
    struct Book {
        GovernedWallet wallet;
        address opener;
        uint128 bond;
        uint256 proposalId;
        bool accuses;
        CaseOutcome outcome;
        uint64 openedAt;
    }

    uint128 private constant GIO = 1e8;

    Cases public immutable CASES;
    Dao public immutable DAO;
    GioToken public immutable TOKEN;
    address private immutable TREASURY;
    address private immutable VOTER; // holds more than any quorum
    address private immutable HUB;

    GovernedWallet[] private wallets;
    Book[] private books; // case i + 1
    uint256 public posted; // bonds of undecided cases
    uint256 public returned;
    uint256 public forfeited;
    mapping(bytes32 action => uint256) public calls;

    constructor(Cases cases, Dao dao, GioToken token, address voter, address hub, GovernedWallet[] memory wallets_) {
        CASES = cases;
        DAO = dao;
        TOKEN = token;
        TREASURY = cases.treasury();
        VOTER = voter;
        HUB = hub;
        wallets = wallets_;
    }

    function caseCount() external view returns (uint256) {
        return books.length;
    }

    function bookAt(uint256 index) external view returns (Book memory) {
        return books[index];
    }

    function walletCount() external view returns (uint256) {
        return wallets.length;
    }

    function walletAt(uint256 index) public view returns (GovernedWallet) {
        return wallets[index % wallets.length];
    }

    /* OPENING */

    function accuse(uint256 seed, uint128 bond) external {
        GovernedWallet wallet = walletAt(seed);
        if (books.length == 16 || wallet.state() != WalletState.Registered) return;
        bond = uint128(bound(bond, CASES.bondFor(address(wallet)), 20 * GIO));
        address opener = address(uint160(0xacc0000 + seed % 4));
        _fund(opener, bond);
        vm.prank(opener);
        uint256 caseId = CASES.accuse(address(wallet), keccak256("evidence"), "https://e", bond);
        _opened(caseId, wallet, opener, bond, true);
        ++calls["accuse"];
    }

    function appeal(uint256 seed, uint128 bond) external {
        GovernedWallet wallet = walletAt(seed);
        if (books.length == 16 || wallet.state() != WalletState.Suspected) return;
        bond = uint128(bound(bond, CASES.bondMin(), 20 * GIO));
        _fund(HUB, bond);
        vm.prank(HUB);
        uint256 caseId = CASES.appeal(address(wallet), keccak256("defence"), "", bond);
        _opened(caseId, wallet, HUB, bond, false);
        ++calls["appeal"];
    }

    function _fund(address who, uint256 amount) private {
        TOKEN.transfer(who, amount);
        vm.prank(who);
        TOKEN.approve(address(CASES), amount);
    }

    function _opened(uint256 caseId, GovernedWallet wallet, address opener, uint128 bond, bool accuses) private {
        assertEq(caseId, books.length + 1, "numbers without gaps");
        uint256 id = CASES.caseOf(caseId).proposalId;
        books.push(Book(wallet, opener, bond, id, accuses, CaseOutcome.Undecided, uint64(block.timestamp)));
        posted += bond;
    }

    /* DECIDING */

    function vote(uint256 seed, uint8 support) external {
        if (books.length == 0) return;
        uint256 id = books[seed % books.length].proposalId;
        IGovernor.ProposalState stage = DAO.state(id);
        if (stage == IGovernor.ProposalState.Pending) vm.warp(DAO.proposalSnapshot(id) + 1);
        else if (stage != IGovernor.ProposalState.Active) return;
        if (DAO.hasVoted(id, VOTER)) return;
        vm.prank(VOTER);
        DAO.castVote(id, support % 4 == 0 ? 0 : 1);
        ++calls["vote"];
    }

    /// @dev Ends a vote that was cast, queues what passed; executes what is due, if its wallet still lets it.
    function advance(uint256 seed) external {
        if (books.length == 0) return;
        Book storage book = books[seed % books.length];
        bool voted = DAO.hasVoted(book.proposalId, VOTER);
        uint256 end = DAO.proposalDeadline(book.proposalId);
        if (voted && block.timestamp <= end) vm.warp(end + 1);
        IGovernor.ProposalState stage = DAO.state(book.proposalId);
        if (stage == IGovernor.ProposalState.Succeeded) DAO.queue(book.proposalId);
        if (DAO.state(book.proposalId) != IGovernor.ProposalState.Queued) return;
        WalletState needed = book.accuses ? WalletState.Registered : WalletState.Suspected;
        bool dead = book.accuses && book.outcome != CaseOutcome.Undecided;
        if (book.wallet.state() != needed || dead) return;
        if (block.timestamp < DAO.proposalEta(book.proposalId)) vm.warp(DAO.proposalEta(book.proposalId));
        if (isOutdated(book)) {
            (bool ok,) = address(DAO).call(abi.encodeWithSignature("execute(uint256)", book.proposalId));
            assertFalse(ok, "a decision of an earlier registration or suspicion was carried out");
            ++calls["outdated"];
            return;
        }
        DAO.execute(book.proposalId);
        ++calls["execute"];
    }

    /// @dev Between the opening of a case and the next registration or suspicion lies a whole vote, so its snapshot too.
    function isOutdated(Book memory book) public view returns (bool) {
        return book.openedAt < (book.accuses ? book.wallet.registeredAt() : book.wallet.suspectedAt());
    }

    function decide(uint256 seed) external {
        if (books.length == 0) return;
        uint256 index = seed % books.length;
        Book storage book = books[index];
        if (book.outcome != CaseOutcome.Undecided) return;
        try CASES.decide(index + 1) returns (CaseOutcome outcome) {
            bool lost = DAO.state(book.proposalId) == IGovernor.ProposalState.Defeated;
            assertEq(outcome == CaseOutcome.Rejected, lost, "a bond is lost by a vote and nothing else");
            book.outcome = outcome;
            posted -= book.bond;
            if (lost) forfeited += book.bond;
            else returned += book.bond;
            ++calls["decide"];
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), ICases.CaseOpen.selector, "undecided is the only reason not to decide");
        }
    }

    /// @dev What the rest of the wallet's life does to its state: payday, a new registration.
    function live(uint256 seed) external {
        GovernedWallet wallet = walletAt(seed);
        WalletState state = wallet.state();
        if (state == WalletState.Registered && seed % 3 == 0) wallet.setState(WalletState.Idle);
        if (state == WalletState.Idle) wallet.setState(WalletState.Registered);
        ++calls["live"];
    }

    function wait(uint256 time) external {
        skip(bound(time, 1, 3 days));
        ++calls["wait"];
    }

    /* WHAT MUST NOT WORK */

    function tryWhatIsNotAllowed(uint256 seed, uint8 what) external {
        GovernedWallet wallet = walletAt(seed);
        what = what % 4;
        bytes memory call_;
        address caller = VOTER;
        address target = address(CASES);
        if (what == 0) {
            call_ = abi.encodeCall(ICases.accuse, (address(wallet), "evidence", "", CASES.bondFor(address(wallet)) - 1));
        }
        if (what == 1) call_ = abi.encodeCall(ICases.appeal, (address(wallet), "evidence", "", 20 * GIO));
        if (what == 2) {
            if (books.length == 0 || books[seed % books.length].outcome == CaseOutcome.Undecided) return;
            call_ = abi.encodeCall(ICases.decide, (seed % books.length + 1));
        }
        if (what == 3) {
            target = address(wallet);
            call_ = abi.encodeCall(GovernedWallet.suspect, (books.length));
        }
        vm.prank(caller);
        (bool ok,) = target.call(call_);
        assertFalse(ok, "a forbidden call went through");
        ++calls["forbidden"];
    }
}
