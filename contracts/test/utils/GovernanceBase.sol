// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {Test} from "forge-std/Test.sol";

import {Cases} from "src/Cases.sol";
import {Dao} from "src/Dao.sol";
import {GioToken} from "src/GioToken.sol";
import {Timelock} from "src/Timelock.sol";
import {Treasury} from "src/Treasury.sol";
import {Whitelist} from "src/Whitelist.sol";
import {ICases} from "src/interfaces/ICases.sol";
import {ITreasury} from "src/interfaces/ITreasury.sol";
import {DaoParameters, TreasuryParameters} from "src/types/Governance.sol";
import {GovernedWallet} from "./GovernedWallet.sol";

/// @notice Deploys the government, gives three holders votes, and tells how a proposal passes or falls.
abstract contract GovernanceBase is Test {
    /// @notice A proposal of one call.
    struct Proposal {
        uint256 id;
        address[] targets;
        uint256[] values;
        bytes[] calls;
        string description;
    }

    uint8 internal constant AGAINST = 0;
    uint8 internal constant FOR = 1;
    uint8 internal constant ABSTAIN = 2;

    uint128 internal constant GIO = 1e8;
    uint128 internal constant SUPPLY = 20_000_000 * GIO;
    uint128 internal constant BOND_MIN = 1 * GIO;
    uint64 internal constant GENESIS = 1_790_000_000;
    uint48 internal constant VOTING_DELAY = 1 days;
    uint32 internal constant VOTING_PERIOD = 5 days;
    uint256 internal constant TIMELOCK_DELAY = 2 days;
    uint128 internal constant THRESHOLD = 10_000 * GIO;

    Account internal alice = makeAccount("alice"); // 10 % of the supply
    Account internal bob = makeAccount("bob"); // 6 %
    Account internal carol = makeAccount("carol"); // 5 %
    address internal stranger = makeAddr("stranger");
    address internal bridge = makeAddr("bridge");
    address internal faucet = makeAddr("faucet");
    address internal hub = makeAddr("hub");
    address internal factory = makeAddr("factory");
    address internal recipient = makeAddr("recipient");

    GioToken internal token;
    Timelock internal timelock;
    Dao internal dao;
    Treasury internal treasury;
    Whitelist internal whitelist;
    Cases internal cases;
    GovernedWallet internal wallet;

    function setUp() public virtual {
        vm.warp(GENESIS);
        token = new GioToken(bridge, faucet, SUPPLY);
        uint64 nonce = vm.getNonce(address(this));
        timelock = new Timelock(TIMELOCK_DELAY, vm.computeCreateAddress(address(this), nonce + 1));
        dao = new Dao(token, timelock, vm.computeCreateAddress(address(this), nonce + 4), _daoParameters());
        treasury = new Treasury(token, address(timelock), _treasuryParameters());
        whitelist = new Whitelist(factory);
        cases = new Cases(token, address(dao), address(treasury), address(whitelist), BOND_MIN);
        wallet = _listWallet();
        _giveVotes(alice.addr, SUPPLY / 10);
        _giveVotes(bob.addr, SUPPLY * 6 / 100);
        _giveVotes(carol.addr, SUPPLY / 20);
        skip(1);
    }

    /* DEPLOYMENT */

    function _daoParameters() internal pure returns (DaoParameters memory) {
        return DaoParameters({
            votingDelay: VOTING_DELAY,
            votingPeriod: VOTING_PERIOD,
            proposalThreshold: THRESHOLD,
            quorumPercent: 4,
            graveQuorumPercent: 20,
            graveMajorityPercent: 67
        });
    }

    function _treasuryParameters() internal pure returns (TreasuryParameters memory) {
        return TreasuryParameters({
            expropriationLock: 120 days, epochLength: 30 days, claimPeriod: 365 days, dividendPerMille: 500
        });
    }

    function _listWallet() internal returns (GovernedWallet made) {
        made = new GovernedWallet(token, address(timelock), ICases(cases), ITreasury(treasury), hub);
        vm.prank(factory);
        whitelist.list(address(made), hub);
    }

    /* MONEY */

    function _fund(address to, uint256 amount) internal {
        vm.prank(faucet);
        token.transfer(to, amount);
    }

    function _giveVotes(address to, uint256 amount) internal {
        _fund(to, amount);
        vm.prank(to);
        token.delegate(to);
    }

    function _fundFor(address spender, address owner, uint256 amount) internal {
        _fund(owner, amount);
        vm.prank(owner);
        token.approve(spender, amount);
    }

    /* PROPOSALS */

    function _single(address target, bytes memory call_, string memory description)
        internal
        view
        returns (Proposal memory p)
    {
        p.targets = new address[](1);
        p.values = new uint256[](1);
        p.calls = new bytes[](1);
        p.targets[0] = target;
        p.calls[0] = call_;
        p.description = description;
        p.id = _id(p);
    }

    function _id(Proposal memory p) internal view returns (uint256) {
        return dao.hashProposal(p.targets, p.values, p.calls, keccak256(bytes(p.description)));
    }

    function _propose(Proposal memory p) internal {
        vm.prank(alice.addr);
        assertEq(dao.propose(p.targets, p.values, p.calls, p.description), p.id);
    }

    function _vote(Account memory by, uint256 id, uint8 support) internal {
        vm.prank(by.addr);
        dao.castVote(id, support);
    }

    function _startVote(uint256 id) internal {
        vm.warp(dao.proposalSnapshot(id) + 1);
    }

    function _endVote(uint256 id) internal {
        vm.warp(dao.proposalDeadline(id) + 1);
    }

    /// @dev Everybody for it.
    function _voteFor(uint256 id) internal {
        _startVote(id);
        _vote(alice, id, FOR);
        _vote(bob, id, FOR);
        _vote(carol, id, FOR);
        _endVote(id);
    }

    function _voteAgainst(uint256 id) internal {
        _startVote(id);
        _vote(alice, id, AGAINST);
        _endVote(id);
    }

    function _queue(Proposal memory p) internal {
        dao.queue(p.targets, p.values, p.calls, keccak256(bytes(p.description)));
        vm.warp(dao.proposalEta(p.id));
    }

    function _execute(Proposal memory p) internal {
        dao.execute(p.targets, p.values, p.calls, keccak256(bytes(p.description)));
    }

    /// @dev From nothing to done.
    function _pass(Proposal memory p) internal {
        _propose(p);
        _voteFor(p.id);
        _queue(p);
        _execute(p);
    }

    function _assertProposal(uint256 id, IGovernor.ProposalState expected) internal view {
        assertEq(uint8(dao.state(id)), uint8(expected), "proposal state");
    }

    /* CASES */

    function _accuse(address by, uint128 bond) internal returns (uint256 caseId) {
        _fundFor(address(cases), by, bond);
        vm.prank(by);
        caseId = cases.accuse(address(wallet), keccak256("evidence"), "https://evidence.example/7", bond);
    }

    function _appeal(uint128 bond) internal returns (uint256 caseId) {
        _fundFor(address(cases), hub, bond);
        vm.prank(hub);
        caseId = cases.appeal(address(wallet), keccak256("defence"), "https://evidence.example/8", bond);
    }

    /// @dev Votes a case's proposal through, up to its execution. The Dao keeps the calls, so the id is enough.
    function _carryOut(uint256 caseId) internal {
        uint256 id = cases.caseOf(caseId).proposalId;
        _voteFor(id);
        dao.queue(id);
        vm.warp(dao.proposalEta(id));
        dao.execute(id);
    }
}
