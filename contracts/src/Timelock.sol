// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title Timelock
/// @notice Carries out what the Dao decided, after a delay in which everybody can see it coming. It is the `dao` of every
/// wallet and the only spender of the treasury.
/// @dev OpenZeppelin's controller with its roles fixed here instead of in a deployment: the Dao alone schedules, cancels
/// and executes, and the timelock is its own administrator, so that roles change by a grave vote and no other way.
contract Timelock is TimelockController {
    /// @notice A timelock without a Dao would be locked for ever.
    error DaoZero();

    /// @param delay Seconds from the end of a vote's queueing to its execution.
    /// @param dao The address the Dao will have; its constructor refuses any other timelock.
    constructor(uint256 delay, address dao) TimelockController(delay, _only(dao), _only(dao), address(0)) {}

    function _only(address dao) private pure returns (address[] memory list) {
        if (dao == address(0)) revert DaoZero();
        list = new address[](1);
        list[0] = dao;
    }
}
