// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {GovernorCountingSimple} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {GovernorSettings} from "@openzeppelin/contracts/governance/extensions/GovernorSettings.sol";
import {GovernorStorage} from "@openzeppelin/contracts/governance/extensions/GovernorStorage.sol";
import {GovernorTimelockControl} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {
    GovernorVotesQuorumFraction
} from "@openzeppelin/contracts/governance/extensions/GovernorVotesQuorumFraction.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";

import {IDao} from "./interfaces/IDao.sol";
import {IHubWallet} from "./interfaces/IHubWallet.sol";
import {ITreasury} from "./interfaces/ITreasury.sol";
import {DaoParameters} from "./types/Governance.sol";

/// @title Dao
/// @notice See {IDao} and OpenZeppelin's `IGovernor`.
contract Dao is
    IDao,
    Governor,
    GovernorSettings,
    GovernorCountingSimple,
    GovernorStorage,
    GovernorVotes,
    GovernorVotesQuorumFraction,
    GovernorTimelockControl
{
    /* IMMUTABLES */

    address private immutable CASES;
    uint8 private immutable GRAVE_QUORUM_PERCENT;
    uint8 private immutable GRAVE_MAJORITY_PERCENT;

    /* STORAGE */

    /// @inheritdoc IDao
    mapping(uint256 proposalId => bool) public isGrave;

    /* CONSTRUCTOR */

    /// @param token_ Whose delegated balances vote.
    /// @param timelock_ Deployed before, for the address of this contract.
    /// @param cases_ The address the cases will have; their constructor refuses any other Dao.
    /// @param p How it votes.
    constructor(IVotes token_, TimelockController timelock_, address cases_, DaoParameters memory p)
        Governor("GIO DAO")
        GovernorSettings(p.votingDelay, p.votingPeriod, p.proposalThreshold)
        GovernorVotes(token_)
        GovernorVotesQuorumFraction(p.quorumPercent)
        GovernorTimelockControl(timelock_)
    {
        // Without a delay nobody but the proposer would know in time whose votes will count.
        bool ordinary = cases_ != address(0) && p.votingDelay != 0 && p.quorumPercent != 0;
        bool grave = p.graveQuorumPercent >= p.quorumPercent && p.graveQuorumPercent <= 100;
        bool majority = p.graveMajorityPercent > 50 && p.graveMajorityPercent <= 100;
        if (!ordinary || !grave || !majority) revert DaoParametersInvalid();
        if (!timelock_.hasRole(timelock_.PROPOSER_ROLE(), address(this))) {
            revert TimelockOfOtherDao(address(timelock_));
        }
        CASES = cases_;
        GRAVE_QUORUM_PERCENT = p.graveQuorumPercent;
        GRAVE_MAJORITY_PERCENT = p.graveMajorityPercent;
    }

    /* PROPOSALS */

    /// @inheritdoc Governor
    /// @dev The cases propose without votes: whoever opened one has paid a bond instead (GV-12).
    function propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description
    ) public override returns (uint256) {
        if (msg.sender == CASES) {
            return _propose(targets, values, calldatas, description, CASES);
        }
        return super.propose(targets, values, calldatas, description);
    }

    /// @inheritdoc GovernorTimelockControl
    function updateTimelock(TimelockController) public pure override {
        revert TimelockFixed();
    }

    /* VIEWS */

    /// @inheritdoc IDao
    function quorumOf(uint256 proposalId) public view returns (uint256) {
        uint256 snapshot = proposalSnapshot(proposalId);
        uint256 ordinary = quorum(snapshot);
        if (!isGrave[proposalId]) return ordinary;
        uint256 grave = token().getPastTotalSupply(snapshot) * GRAVE_QUORUM_PERCENT / 100;
        // A vote may have raised the ordinary quorum above it.
        return grave > ordinary ? grave : ordinary;
    }

    /// @inheritdoc IDao
    function cases() external view returns (address) {
        return CASES;
    }

    /// @inheritdoc IDao
    function graveQuorumPercent() external view returns (uint8) {
        return GRAVE_QUORUM_PERCENT;
    }

    /// @inheritdoc IDao
    function graveMajorityPercent() external view returns (uint8) {
        return GRAVE_MAJORITY_PERCENT;
    }

    /// @inheritdoc Governor
    function state(uint256 proposalId) public view override(Governor, GovernorTimelockControl) returns (ProposalState) {
        return super.state(proposalId);
    }

    /// @inheritdoc Governor
    function proposalNeedsQueuing(uint256 proposalId)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposalId);
    }

    /// @inheritdoc Governor
    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    /* INTERNAL */

    /// @dev The length of the loop is the proposer's own choice.
    function _propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        address proposer
    ) internal override(Governor, GovernorStorage) returns (uint256 proposalId) {
        proposalId = super._propose(targets, values, calldatas, description, proposer);
        bool grave = false;
        for (uint256 i = 0; i < targets.length; ++i) {
            if (bytes4(calldatas[i]) == IHubWallet.ban.selector) {
                if (targets.length != 1) revert BanNotAlone(targets.length);
                grave = true;
            }
            // INVARIANT: whatever the timelock could be made to do indirectly begins with a call to one of these two.
            if (targets[i] == address(this) || targets[i] == timelock()) grave = true;
            // INVARIANT: no treasury pays out by any other call, so ordinary votes cannot buy grave ones.
            if (bytes4(calldatas[i]) == ITreasury.spend.selector) grave = true;
        }
        if (grave) {
            isGrave[proposalId] = true;
            emit GraveProposed(proposalId);
        }
    }

    function _quorumReached(uint256 proposalId)
        internal
        view
        override(Governor, GovernorCountingSimple)
        returns (bool)
    {
        (, uint256 forVotes, uint256 abstainVotes) = proposalVotes(proposalId);
        return forVotes + abstainVotes >= quorumOf(proposalId);
    }

    function _voteSucceeded(uint256 proposalId)
        internal
        view
        override(Governor, GovernorCountingSimple)
        returns (bool)
    {
        if (!super._voteSucceeded(proposalId)) return false;
        if (!isGrave[proposalId]) return true;
        (uint256 againstVotes, uint256 forVotes,) = proposalVotes(proposalId);
        return forVotes * 100 >= (forVotes + againstVotes) * GRAVE_MAJORITY_PERCENT;
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) {
        _checkCurrent(proposalId, targets, calldatas);
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint256) {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    /// @dev What passed can be executed for ever, so it must say what it is about: a wallet's registration or suspicion of
    /// the time when votes were counted, and never a later one. The wallet itself cannot tell them apart.
    function _checkCurrent(uint256 proposalId, address[] memory targets, bytes[] memory calldatas) private view {
        uint256 snapshot = proposalSnapshot(proposalId);
        for (uint256 i = 0; i < targets.length; ++i) {
            bytes4 decision = bytes4(calldatas[i]);
            uint256 since = 0;
            if (decision == IHubWallet.rehab.selector || decision == IHubWallet.ban.selector) {
                since = IHubWallet(targets[i]).suspectedAt();
            } else if (decision == IHubWallet.suspect.selector) {
                since = IHubWallet(targets[i]).registeredAt();
            }
            if (since > snapshot) revert DecisionOutdated(proposalId, targets[i], since, snapshot);
        }
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }
}
